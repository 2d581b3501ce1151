"""A guest as libvirt's QEMU driver starts it: in its configuration's words, and
as another user.

The driver runs in virt-qemu-run, which is libvirtd's in a program of its own,
with all its files below one directory; no daemon is started. Debian's package
makes the user libvirt-qemu only with the daemon's service, so that here a
passwd file with it is mounted over the machine's, for this process alone.
"""
import os
import shutil

from lib.netns import wait_until

from . import image
from .guest import Guest

RUN = shutil.which("virt-qemu-run")
USER = 64055  # as Debian's
CONFIG = """
stdio_handler = "file"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
"""
# A /dev/kvm would be asked for much, for a long time, and is not used.
SCRIPT = """
mount --make-rprivate /
mount --bind {root}/passwd /etc/passwd
mount --bind {root}/group /etc/group
touch {root}/no-kvm
chmod 0 {root}/no-kvm
[ ! -e /dev/kvm ] || mount --bind {root}/no-kvm /dev/kvm
exec virt-qemu-run --root={root} {root}/domain.xml
"""
INTERFACE = """
    <interface type='vhostuser'>
      <mac address='{mac}'/>
      <source type='unix' path='{path}' mode='{mode}'>{reconnect}</source>
      <model type='virtio'/>
      <driver queues='{queues}'/>
    </interface>
"""
RECONNECT = "<reconnect enabled='yes' timeout='1'/>"
# QEMU 7.2 without KVM crashes on a vhost-user device with MSI-X.
OVERRIDE = """
    <qemu:device alias='net{i}'>
      <qemu:frontend>
        <qemu:property name='vectors' type='unsigned' value='0'/>
      </qemu:frontend>
    </qemu:device>
"""
DOMAIN = """
<domain type='qemu'
        xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <memoryBacking>
    <source type='memfd'/>
    <access mode='shared'/>
  </memoryBacking>
  <vcpu>{cpus}</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{root}/vmlinuz</kernel>
    <initrd>{root}/initramfs.cpio</initrd>
    <cmdline>{cmdline}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {interfaces}
    <channel type='unix'>
      <source mode='bind' path='{channel}'/>
      <target type='virtio' name='vsw'/>
    </channel>
    <serial type='file'><source path='{root}/console'/></serial>
    <memballoon model='none'/>
  </devices>
  <qemu:override>{overrides}</qemu:override>
</domain>
"""


class LibvirtGuest(Guest):
    """Has vhost-user cards only."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.root = self.path("libvirt")

    def domain(self):
        # libvirt's word is of the monitor's role: it listens as a server
        interfaces = [INTERFACE.format(
            mac=nic.mac, path=nic.path, queues=nic.queues,
            mode="server" if nic.server else "client",
            reconnect="" if nic.server else RECONNECT) for nic in self.nics]
        overrides = [OVERRIDE.format(i=i) for i in range(len(self.nics))]
        return DOMAIN.format(
            name=self.name, memory=self.memory, cpus=self.cpus,
            root=self.root, channel=self.path("channel"),
            cmdline=image.COMMAND_LINE, interfaces="".join(interfaces),
            overrides="".join(overrides))

    def write(self, name, text):
        with open(os.path.join(self.root, name), "w",
                  encoding="ascii") as file:
            file.write(text)

    def add_line(self, name, *lines):
        with open(f"/etc/{name}", encoding="utf-8") as file:
            text = file.read()
        for line in lines:
            if "\n" + line.split(":")[0] + ":" not in text:
                text += line + "\n"
        self.write(name, text)

    def start(self):
        os.makedirs(os.path.join(self.root, "etc"))
        self.write("etc/qemu.conf", CONFIG + f'user = "+{USER}"\n')
        self.add_line("passwd",
                      f"libvirt-qemu:x:{USER}:{USER}::/:/usr/sbin/nologin")
        self.add_line("group", f"libvirt-qemu:x:{USER}:", "kvm:x:64056:")
        # libvirt gives them to its user.
        for path in (image.KERNEL, image.INITRAMFS):
            shutil.copy(path, self.root)
        self.write("domain.xml", self.domain())
        with open(self.lab.switch.log_file(f"{self.name}.libvirt"),
                  "ab") as log:
            self.process = self.lab.spawn(
                self.lab.sw_ns, "unshare", "-m", "sh", "-c",
                SCRIPT.format(root=self.root), stdout=log, stderr=log)
        self.channel = self.connect("channel", timeout=120)
        return self

    def user(self):
        """Whose QEMU is."""
        def pid():
            for entry in os.listdir("/proc"):
                if not entry.isdigit():
                    continue
                try:
                    with open(f"/proc/{entry}/cmdline", "rb") as file:
                        words = file.read().decode().split("\0")
                except OSError:
                    continue
                if any(f"{self.root}/vmlinuz" == w for w in words):
                    return entry
            return None
        return os.stat(f"/proc/{wait_until(pid, 'QEMU runs')}").st_uid
