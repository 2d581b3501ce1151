"""Bytes from guest to guest, compared at the other end: with checksums left
to devices, TCP itself does not notice what a switch changes."""
from lib.testing import equal

PORT = 5000


def make_data(guest, size=4 << 20):
    """Random bytes in the guest; their digest."""
    return guest.run(f"head -c {size} /dev/urandom >/tmp/data; "
                     "sha256sum </tmp/data").split()[0]


def fetch(sink, source, address, digest, what):
    """sink takes source's data from an address of its."""
    source.run(f"nc -l -p {PORT} </tmp/data >/dev/null 2>&1 &")
    # Its input stays open, so that only the other side ends the connection.
    got = sink.run(
        "[ -p /tmp/hold ] || mkfifo /tmp/hold; for i in 1 2 3 4 5 6 7 8 9; do "
        f"nc {address} {PORT} <>/tmp/hold >/tmp/got && break; sleep 0.1; "
        "done; sha256sum </tmp/got", timeout=90).split()[0]
    equal(got, digest, f"{what}: the digest of what arrived")
