#!/bin/busybox sh
# A guest's init: devices, modules, then the test's commands.
#
# They come on a virtio-serial port, a line each: a number and the command.
# Its output follows the line "BEGIN number", its status is in the line
# "END number status". A command that goes on behind ("... &") gives its output
# elsewhere.
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
modprobe virtio_pci
modprobe virtio_net
modprobe 8021q
modprobe virtio_console
ip link set lo up

# Its number is that of the device among all of virtio.
port=
while [ ! -c "$port" ]; do
	port=$(echo /dev/vport*p1)
	sleep 0.05
done
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
