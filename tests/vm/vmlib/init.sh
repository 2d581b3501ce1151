#!/bin/busybox sh
# A guest's init: devices, modules, then the test's commands.
#
# They come on a virtio-serial port, a line each: a number and the command.
# Its output follows the line "BEGIN number", its status is in the line
# "END number status". A command that goes on behind ("... &") gives its output
# elsewhere.
#
# Words of the kernel's command line: vsw.root=DEVICE goes on in a file system
# that holds this init, too; vsw.shell=DEVICE takes commands there.
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
word() {
	tr ' ' '\n' </proc/cmdline | sed -n "s/^vsw.$1=//p"
}
root=$(word root)
if [ -n "$root" ] && [ ! -e /is-root ]; then
	modprobe virtio_pci
	modprobe virtio_blk
	while [ ! -b "$root" ]; do
		sleep 0.05
	done
	mkdir -p /root
	mount -t ext4 "$root" /root || echo "no file system on $root"
	umount /dev /sys /proc
	exec switch_root /root /init
fi
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
# ARP is answered by the card that has the address only, not by each in the LAN.
echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
modprobe virtio_pci
modprobe virtio_net
modprobe 8021q
modprobe virtio_console
ip link set lo up

# Its number is that of the device among all of virtio.
port=$(word shell)
while [ ! -c "$port" ]; do
	port=$(echo /dev/vport*p1)
	sleep 0.05
done
case $port in
/dev/vport*) ;;
*) stty -F "$port" raw -echo ;;
esac
exec 3<>"$port"
echo READY >&3
while :; do
	read -r number command <&3 || continue
	[ -n "$number" ] || continue
	printf '\nBEGIN %s\n' "$number" >&3
	(eval "$command") </dev/null >/tmp/output 2>&1 3>&-
	status=$?
	cat /tmp/output >&3
	printf '\nEND %s %s\n' "$number" "$status" >&3
done
