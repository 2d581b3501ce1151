"""Hugepages for a test: a folder of its own with a hugetlbfs in it, and so many
free pages behind it. All is given back by a guard, a shell that waits for the
end of its input and so outlives this process, however that ends. Pages are added to and taken
from the machine's count, not set, so that two users do not undo each other."""

import os
import subprocess
import tempfile

COUNT = "/proc/sys/vm/nr_hugepages"

GUARD = r"""
read -r _
umount -l "$dir/huge"
[ -n "$VSW_BENCH_KEEP" ] || rm -rf --one-file-system "$dir"
for try in 1 2 3 4 5 6 7 8 9 10; do
	[ "$added" -eq 0 ] && break
	read -r now <"$count"
	echo $((now > added ? now - added : 0)) >"$count" && break
	sleep 1
done
"""


def meminfo(key):
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    return 0


def count():
    with open(COUNT) as file:
        return int(file.read())


class Hugepages:
    """with Hugepages(1024) as folder: 1,024 free pages of 2 MB in its huge/."""

    def __init__(self, pages):
        self.pages = pages

    def __enter__(self):
        if meminfo("Hugepagesize") != 2048:
            raise RuntimeError("hugepages of this machine are not of 2 MB")
        free = meminfo("HugePages_Free") - meminfo("HugePages_Rsvd")
        before = count()
        wanted = max(0, self.pages - free)
        self.dir = tempfile.mkdtemp(prefix="vsw-bench-")
        os.mkdir(self.dir + "/huge")
        self.guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD], stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True, text=True,
            env=dict(os.environ, dir=self.dir, added=str(wanted),
                     count=COUNT))
        try:
            if wanted:
                with open(COUNT, "w") as file:
                    file.write(str(before + wanted))
            if count() < before + wanted:
                raise RuntimeError(
                    "no memory for %d hugepages: free some, or restart the "
                    "machine with them" % self.pages)
            subprocess.run(["mount", "-t", "hugetlbfs", "none",
                            self.dir + "/huge"],
                           check=True)
        except BaseException:
            self.__exit__()
            raise
        return self.dir

    def __exit__(self, *exception):
        self.guard.stdin.close()
        self.guard.wait()
