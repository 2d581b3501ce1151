"""Runs the tests of a folder, each in a process of its own; needs root.

A test is run if each WORD is part of its name, or only those of the groups
named if the WORD is a group's name. Prints a line for each and ends with
`N passed, N failed`.
"""
import argparse
import contextlib
import importlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from . import netns, switch, testing
from .lab import Lab

GIVE_UP_AFTER = 12  # failures in a row
AGAIN_MAX = 3  # more failures than this are no accident
TESTS = os.path.join(switch.ROOT, "tests", "")


class Interrupted(BaseException):
    """SIGTERM, SIGINT, or the time is over."""


def interrupt(signum, _):
    raise Interrupted(signal.Signals(signum).name)


def parse_arguments(description, kinds):
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--switch", choices=sorted(kinds),
                        default="vsw")
    parser.add_argument("--config", choices=["vsw-ctl", "ovs-vsctl"],
                        default="vsw-ctl", help="which client configures")
    parser.add_argument("--db", choices=["ovsdb-server"], default=None,
                        help="vswd runs from Debian's server")
    parser.add_argument("--fast-path", choices=["on", "off"],
                        default=os.environ.get("VSW_FAST_PATH", "on"),
                        help="whether vswd forwards in the kernel what it "
                        "can; else VSW_FAST_PATH says so")
    parser.add_argument("--quick", action="store_true",
                        help="leave out what is slow")
    parser.add_argument("--soak", action="store_true",
                        help="those that take minutes, too")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--again", action="store_true",
                        help="run what failed once more, alone, if it is "
                        f"{AGAIN_MAX} tests at most; says which passed then")
    return parser.parse_args()


def load_tests(folder, options):
    for name in sorted(os.listdir(folder)):
        if name.startswith("test_") and name.endswith(".py"):
            importlib.import_module(name.removesuffix(".py"))
    groups = {t.group for t in testing.TESTS}
    wanted_groups = {g for g in groups for w in options.words
                     if w in groups and (g + "_").startswith(w + "_")}
    words = [w.lower() for w in options.words if w not in groups]
    for one in testing.TESTS:
        if wanted_groups and one.group not in wanted_groups:
            continue
        if all(word in one.name.lower() for word in words):
            yield one


class Running:
    """A test in a process of its own."""

    def __init__(self, number, test, options):
        self.test = test
        self.prefix = f"{netns.PREFIX}{os.getpid()}-{number}-"
        self.directory = os.path.join(tempfile.gettempdir(), self.prefix)
        os.makedirs(self.directory, exist_ok=True)
        self.start = time.monotonic()
        self.deadline = self.start + test.timeout
        self.ends = [signal.SIGKILL, signal.SIGTERM]
        sys.stdout.flush()
        runner = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self.child(options, runner)
        self.fd = os.pidfd_open(self.pid)

    def child(self, options, runner):
        status = 1
        try:
            os.setsid()  # so that all of its processes end with it
            signal.signal(signal.SIGTERM, interrupt)
            netns.die_with_parent(signal.SIGTERM)
            out = os.open(os.path.join(self.directory, "output"),
                          os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(out, 1)
            os.dup2(out, 2)
            status = run_test(self.test, self.prefix, self.directory, options)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            if os.getppid() != runner:  # it was killed
                netns.remove_namespaces(self.prefix)
                netns.remove_directories(self.prefix)
            os._exit(status)

    def overdue(self):
        """Ends a test whose time is over: politely, then not."""
        if time.monotonic() > self.deadline and self.ends:
            netns.kill_pid(self.pid, self.ends.pop())
            self.deadline = time.monotonic() + 15

    def end(self):
        """Waits for it, ends what it left running; the wait status."""
        os.close(self.fd)
        _, status = os.waitpid(self.pid, 0)
        netns.kill_group(self.pid)
        netns.remove_namespaces(self.prefix)
        return status

    def finish(self):
        status = self.end()
        seconds = time.monotonic() - self.start
        ok = status == 0
        print(f"{'ok  ' if ok else 'FAIL'} {self.test.name} "
              f"({seconds:.1f} s)", flush=True)
        if not ok:
            self.show_failure(status)
        netns.remove_directories(self.prefix)
        return ok

    def show_failure(self, status):
        with open(os.path.join(self.directory, "output"),
                  errors="replace") as file:
            print("\n".join("    " + line for line in
                            file.read().splitlines()[-120:]))
        if os.waitstatus_to_exitcode(status) < 0 or len(self.ends) < 2:
            print(f"    ended with status {status}, "
                  f"time limit {self.test.timeout} s")
        kept = os.path.join(switch.ROOT, "build", "net-failures",
                            re.sub(r"\W+", "-", self.test.name))
        shutil.rmtree(kept, ignore_errors=True)
        # another run may keep the same at the same time
        with contextlib.suppress(OSError, shutil.Error):
            shutil.copytree(self.directory, kept, symlinks=True,
                            dirs_exist_ok=True,
                            ignore=lambda folder, names: [
                                n for n in names if not
                                (os.path.isfile(os.path.join(folder, n)) or
                                 os.path.isdir(os.path.join(folder, n)))])
        print(f"    everything is kept in {kept}", flush=True)


def run_test(test, prefix, directory, options):
    """In the test's own process; the exit status."""
    lab = None
    try:
        lab = Lab(prefix, directory, options)
        test.function(lab)
        lab.stop()
        return 0
    except (Exception, Interrupted) as error:
        if isinstance(error, (AssertionError, netns.CommandFailed)):
            frame = traceback.extract_tb(error.__traceback__)
            for entry in frame:
                if entry.filename.startswith(TESTS) and \
                        "/lib/" not in entry.filename and \
                        not entry.filename.endswith("/run"):
                    print(f"{os.path.basename(entry.filename)}:"
                          f"{entry.lineno}: {entry.line}")
            print(error)
        else:
            traceback.print_exc(file=sys.stdout)
        if lab is not None:
            print(lab.switch.log_tail())
        return 1
    finally:
        if lab is not None:
            lab.abandon()


def run_all(tests, options):
    """The tests that passed and those that failed. Gives up, and has the rest
    fail, where nothing works at all."""
    passed, failed = [], []
    in_a_row = 0
    waiting = list(enumerate(tests))
    running = []
    try:
        while waiting or running:
            if in_a_row >= GIVE_UP_AFTER and waiting:
                print(f"FAIL {len(waiting)} tests not run: the last "
                      f"{in_a_row} failed", flush=True)
                failed += [test for _, test in waiting]
                waiting = []
            while waiting and len(running) < options.jobs:
                number, one = waiting.pop(0)
                running.append(Running(number, one, options))
            if running:
                select.select([r.fd for r in running], [], [], 0.5)
            for one in list(running):
                if select.select([one.fd], [], [], 0)[0]:
                    running.remove(one)
                    ok = one.finish()
                    (passed if ok else failed).append(one.test)
                    in_a_row = 0 if ok else in_a_row + 1
                else:
                    one.overdue()
    finally:
        for one in running:
            netns.kill_pid(one.pid, signal.SIGKILL)
            one.end()
            netns.remove_directories(one.prefix)
    return passed, failed


def run_again(failed, options):
    """What failed in company, alone. Whoever reads it shall look for the race:
    the first failure was shown, and all of it is kept."""
    print(f"-- again, alone: {len(failed)}", flush=True)
    options.jobs = 1
    passed, failed = run_all(failed, options)
    for test in passed:
        print(f"UNSTABLE {test.name}: failed first, passed alone")
    return passed, failed


def run_programs(folder, options):
    """Test programs of another make: executables that print such a sum."""
    passed = failed = 0
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name == "run" or name.startswith("test_") or \
                not os.path.isfile(path) or not os.access(path, os.X_OK):
            continue
        if not all(word in name for word in options.words):
            continue
        print(f"-- {name}", flush=True)
        start = time.monotonic()
        try:
            result = subprocess.run([path], cwd=switch.ROOT, text=True,
                                    stdin=subprocess.DEVNULL, timeout=900,
                                    stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT)
            output, status = result.stdout, result.returncode
        except subprocess.TimeoutExpired as error:
            output, status = (error.stdout or b"").decode(), -1
        sums = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M)
        p, f = map(int, sums[-1]) if sums else (0, 0)
        if status != 0 and f == 0:
            f = 1
        if f or not sums:
            print(output)
        print(f"{'ok  ' if f == 0 else 'FAIL'} {name}: {p} of {p + f} "
              f"({time.monotonic() - start:.1f} s)", flush=True)
        passed, failed = passed + p, failed + f
    return passed, failed


def main(folder, description, kinds=("vsw", "ovs"), prepare=None):
    """
    The tests of test_*.py in folder, which is in sys.path. `prepare` is called
    with the options before the first; what it says is shown if it fails.
    """
    options = parse_arguments(description, kinds)
    tests = list(load_tests(folder, options))
    kinds = {None, options.switch, os.path.basename(switch.BUILD)}
    skipped = [t for t in tests
               if t.only not in kinds or
               (options.quick and t.slow) or (t.soak and not options.soak)]
    tests = [t for t in tests if t not in skipped] * options.repeat
    if options.list:
        print("\n".join(t.name for t in tests))
        return 0
    if os.geteuid() != 0:
        print(f"{sys.argv[0]}: namespaces need root", file=sys.stderr)
        return 1
    if options.switch == "vsw" and not os.access(f"{switch.BUILD}/vswd",
                                                 os.X_OK):
        print(f"{sys.argv[0]}: {switch.BUILD}/vswd is not there; run make",
              file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    netns.remove_leftovers()
    try:
        if prepare:
            prepare(options)
        passed, failed = run_all(tests, options)
        if options.again and 0 < len(failed) <= AGAIN_MAX:
            more, failed = run_again(failed, options)
            passed += more
        passed, failed = len(passed), len(failed)
        if options.switch == "vsw" and not options.db and \
                options.config == "vsw-ctl" and not options.quick:
            p, f = run_programs(folder, options)
            passed, failed = passed + p, failed + f
    except Interrupted as reason:
        print(f"{sys.argv[0]}: ended by {reason}", file=sys.stderr)
        return 130
    if skipped:
        print(f"({len(skipped)} not for this run)")
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1
