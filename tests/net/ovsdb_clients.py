#!/usr/bin/python3
"""Drives ovsdb-lite with Debian's unmodified OVSDB clients; needs no root.

    tests/net/ovsdb_clients.py [--server PROGRAM] [WORD...]

Only tests whose name has a WORD in it are run. With `--server ovsdb-server` the
same tests hold for Debian's server, which shows that they ask for nothing that
is ours alone (the few that do are skipped then). Each test has a server of its
own in a temporary directory, and all of it goes away at the end, also when the
tests are killed. Ends with `N passed, N failed`.
"""
import argparse
import os
import signal
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from ovsdb import debian, lab, program, protocol, storage  # noqa: E402

PARTS = [debian, program, protocol, storage]  # they enter their tests


def run_one(function, server):
    place = lab.Lab(server)
    signal.alarm(2 * lab.TIMEOUT)  # whatever a test waits for
    try:
        function(place)
        place.stop_servers()
        print(f"ok      {function.__name__}", flush=True)
        return True
    except Exception as e:  # a test may fail in any way
        print(f"FAILED  {function.__name__}: {str(e)[:1000]}", flush=True)
        if not isinstance(e, lab.Failure):
            traceback.print_exc(file=sys.stdout)
        print("\n".join("        | " + line for line in
                        place.read_log().splitlines()[-10:]))
        return False
    finally:
        signal.alarm(0)
        place.close()


def too_long(_signum, _frame):
    raise lab.Failure("it takes too long")


def terminate(signum, _frame):
    sys.exit(128 + signum)  # so that labs are closed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server",
                        default=os.path.join(TOP, "build", "ovsdb-lite"))
    parser.add_argument("words", nargs="*", metavar="WORD")
    options = parser.parse_args()
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, terminate)
    signal.signal(signal.SIGALRM, too_long)
    theirs = os.path.basename(options.server) == "ovsdb-server"
    results = []
    for function in lab.TESTS:
        if options.words and not any(w in function.__name__
                                     for w in options.words):
            continue
        if theirs and getattr(function, "ours_only", False):
            continue
        results.append(run_one(function, options.server))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
