"""Remotes, the command line and the control socket."""
import os
import socket

from .lab import (TIMEOUT, check, contains, equal, ours_only, run, test, until)


VSW_CTL = os.environ.get("VSW_CTL") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../../build/vsw-ctl")


def vsw_ctl(*args, status=0):
    return run(VSW_CTL, *args, status=status)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@test
def remote_tcp(lab):
    port = free_port()
    lab.start(f"--remote=ptcp:{port}:127.0.0.1")
    contains(lab.client("list-dbs", f"tcp:127.0.0.1:{port}"), "Open_vSwitch")


@test
def remote_active(lab):
    """The server connects to a client that listens."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(lab.path("manager.sock"))
    listener.listen(1)
    listener.settimeout(TIMEOUT)
    lab.start(f"--remote=unix:{lab.path('manager.sock')}")
    for _ in range(2):  # it comes back when it is dropped
        peer, _ = listener.accept()
        peer.settimeout(TIMEOUT)
        peer.sendall(b'{"id":1,"method":"list_dbs","params":[]}')
        contains(peer.recv(1000).decode(), "Open_vSwitch")
        peer.close()
    listener.close()


@test
def remote_of_database(lab):
    port = free_port()
    lab.start("--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
    lab.vsctl("--no-wait", "set-manager", f"ptcp:{port}:127.0.0.1")
    remote = f"tcp:127.0.0.1:{port}"

    def reachable():
        return run("ovsdb-client", "list-dbs", remote, status=None
                   ).startswith("Open_vSwitch")
    until(reachable, "the manager's port")
    with socket.create_connection(("127.0.0.1", port)):
        until(lambda: lab.vsctl("get", "Manager", ".", "is_connected"
                                ).strip() == "true", "is_connected")
    lab.vsctl("--no-wait", "del-manager")
    until(lambda: not reachable(), "the manager's port to close")


def make_certificates(lab):
    """A CA and a key and certificate by it."""
    def openssl(*args):
        run("openssl", *args)
    ca, cakey = lab.path("ca.pem"), lab.path("ca.key")
    key, req, cert = (lab.path(f"server.{x}") for x in ("key", "req", "pem"))
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", cakey,
            "-out", ca, "-subj", "/CN=test-ca", "-days", "2")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
            req, "-subj", "/CN=server")
    openssl("x509", "-req", "-in", req, "-CA", ca, "-CAkey", cakey,
            "-CAcreateserial", "-out", cert, "-days", "2")
    return key, cert, ca


@test
def remote_tls(lab):
    key, cert, ca = make_certificates(lab)
    port = free_port()
    files = [f"--private-key={key}", f"--certificate={cert}",
             f"--ca-cert={ca}"]
    lab.start(f"--remote=pssl:{port}:127.0.0.1", *files)
    remote = f"ssl:127.0.0.1:{port}"
    contains(lab.client(*files, "list-dbs", remote), "Open_vSwitch")
    # Without a certificate, or in plain text, there is no way in.
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.settimeout(TIMEOUT)
        plain.sendall(b'{"id":1,"method":"list_dbs","params":[]}')
        try:
            while data := plain.recv(1000):
                check(b"Open_vSwitch" not in data, "served without TLS")
        except ConnectionResetError:
            pass
    contains(lab.client(*files, "list-dbs", remote), "Open_vSwitch")
    vsw_ctl(*files, f"--db={remote}", "--no-wait", "add-br", "br0")
    contains(vsw_ctl(*files, f"--db={remote}", "list-br"), "br0")
    contains(vsw_ctl(f"--private-key={key}", f"--certificate={lab.path('no')}",
                     f"--ca-cert={ca}", f"--db={remote}", "list-br",
                     status=1), "certificate")


@test
def detach_and_exit(lab):
    lab.create_db()
    pidfile = lab.path("server.pid")
    run(lab.program, f"--remote=punix:{lab.sock}", f"--unixctl={lab.ctl}",
        f"--pidfile={pidfile}", f"--log-file={lab.log}", "--detach",
        "--no-chdir", "-vconsole:off", lab.db, env=lab.env)
    # No waiting here: it returned, so it listens.
    contains(lab.client("list-dbs", lab.remote), "Open_vSwitch")
    with open(pidfile, encoding="ascii") as f:
        pid = int(f.read())
    os.kill(pid, 0)
    out = run(lab.program, "--remote=punix:x.sock", f"--pidfile={pidfile}",
              "--unixctl=x.ctl", "--detach", "--no-chdir", "-vconsole:off",
              lab.create_db("other.db"), env=lab.env, status=1)
    contains(out, f"already running as pid {pid}")
    contains(lab.appctl("list-commands"), "exit")
    lab.appctl("exit")
    until(lambda: not os.path.exists(pidfile), "the pid file to go")
    check(not os.path.exists(lab.sock), "the socket is left behind")
    until(lambda: not os.path.exists(f"/proc/{pid}"), "the process to end")


@test
def sigterm(lab):
    server = lab.start()
    lab.stop(server)
    check(not os.path.exists(lab.sock), "the socket is left behind")
    check(not os.path.exists(lab.ctl), "the control socket is left behind")


@test
@ours_only
def run_option(lab):
    lab.create_db()
    for command, status in (("exit 7", 7), ("true", 0),
                            (f"ovsdb-client list-dbs {lab.remote} "
                             f"> {lab.path('dbs')}", 0)):
        run(lab.program, f"--remote=punix:{lab.sock}",
            f"--unixctl={lab.ctl}", "-vconsole:off", f"--run={command}",
            lab.db, env=lab.env, status=status)
    with open(lab.path("dbs"), encoding="utf-8") as f:
        contains(f.read(), "Open_vSwitch")


@test
@ours_only
def wrong_command_lines(lab):
    lab.create_db()
    for args, part in ((["--nonsense", lab.db], "nonsense"),
                       ([lab.path("missing.db")], "missing.db"),
                       (["--remote=foo:bar", lab.db], "foo:bar"),
                       (["--remote=db:A,B,C", lab.db], "A"),
                       ([lab.db, lab.db], "conf.db")):
        out = run(lab.program, "--unixctl=" + lab.ctl, *args, env=lab.env,
                  status=1)
        contains(out, part)
    contains(run(lab.program, "--help"), "--remote")
    run(lab.program, "--version")


@test
def control_commands(lab):
    lab.start()
    equal(lab.appctl("ovsdb-server/list-remotes").strip(),
          f"punix:{lab.sock}")
    second = f"punix:{lab.path('second.sock')}"
    lab.appctl("ovsdb-server/add-remote", second)
    contains(lab.client("list-dbs", second[1:]), "Open_vSwitch")
    contains(lab.appctl("ovsdb-server/list-remotes"), second)
    lab.appctl("ovsdb-server/remove-remote", second)
    lab.appctl("ovsdb-server/remove-remote", second, status=2)
    check(not os.path.exists(lab.path("second.sock")), "socket left behind")
    lab.appctl("ovsdb-server/add-remote", "db:A,B,C", status=2)
    contains(lab.appctl("ovsdb-server/get-db-storage-status",
                        "Open_vSwitch"), "status: ok")
    lab.appctl("ovsdb-server/compact")
    lab.appctl("ovsdb-server/compact", "Open_vSwitch")
    lab.appctl("ovsdb-server/compact", "nope", status=2)
    lab.appctl("ovsdb-server/reconnect")
    contains(lab.appctl("ovsdb-server/list-dbs"), "Open_vSwitch")
    contains(lab.appctl("vlog/list"), "console")
    lab.appctl("vlog/set", "ANY:file:dbg")
    lab.appctl("vlog/reopen")
    lab.appctl("memory/show")
    lab.appctl("coverage/show")
    lab.appctl("version")
    contains(lab.appctl("fdb/show", status=2), "not a valid command")
    lab.appctl("ovsdb-server/remove-db", "Open_vSwitch")
    equal(lab.client("list-dbs", lab.remote).split(), ["_Server"])
    lab.appctl("ovsdb-server/remove-db", "Open_vSwitch", status=2)
    lab.appctl("ovsdb-server/add-db", lab.db)
    equal(lab.client("list-dbs", lab.remote).split(),
          ["Open_vSwitch", "_Server"])


@test
def socket_mode(lab):
    lab.start()
    check(os.stat(lab.sock).st_mode & 0o007 == 0, "anybody may connect")
