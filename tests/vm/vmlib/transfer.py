"""Bytes from guest to guest, compared at the other end: with checksums left
to devices, TCP itself does not notice what a switch changes."""
from lib.testing import equal

PORT = 5000


def make_data(guest, size=4 << 20):
    """Random bytes in the guest; their digest."""
    return guest.run(f"head -c {size} /dev/urandom >/tmp/data; "
                     "sha256sum </tmp/data").split()[0]


def offer(source):
    """Gives its data to who connects next."""
    source.run(f"nc -l -p {PORT} </tmp/data >/dev/null 2>&1 &")


def take(sink, address):
    """The digest of what is offered there; waits for it a little."""
    # Its input stays open, so that only the other side ends the connection.
    return sink.run(
        "[ -p /tmp/hold ] || mkfifo /tmp/hold; for i in $(seq 50); do "
        f"nc {address} {PORT} <>/tmp/hold >/tmp/got 2>/dev/null && break; "
        "sleep 0.1; done; sha256sum </tmp/got", timeout=90).split()[0]


def fetch(sink, source, address, digest, what):
    """sink takes source's data from an address of its."""
    offer(source)
    equal(take(sink, address), digest, f"{what}: the digest of what arrived")
