"""The file in which a vhost-user port keeps where its packed rings are: it is
there as long as the port is in the database."""
import os

from lib.testing import equal, test


def mode(path):
    return oct(os.stat(path).st_mode & 0o777)


@test("a vhost-user port's file goes with the port, not with vswd",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    path = lab.switch.path("vhost/vm0.rings")
    lab.switch.add_vhost("br0", "vm0")
    equal(mode(path), "0o600", "the file's mode")
    inode = os.stat(path).st_ino
    lab.switch.kill()
    lab.switch.start()
    lab.switch.sync()
    equal(os.stat(path).st_ino, inode, "the file after kill -9")
    lab.switch.stop()
    lab.switch.start()
    lab.switch.sync()
    equal(os.stat(path).st_ino, inode, "the file after an orderly end")
    lab.switch.ctl("add-br", "br1")
    lab.switch.ctl("del-port", "br0", "vm0", "--", "add-port", "br1", "vm0",
                   "--", "set", "Interface", "vm0", "type=dpdkvhostuser")
    equal(os.stat(path).st_ino, inode, "the file after a move")
    lab.switch.ctl("del-port", "vm0")
    lab.switch.sync()
    assert not os.path.exists(path), "the file of a removed port is left"
