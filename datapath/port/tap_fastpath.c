/* A tap's part in the kernel's fast path (tap_fastpath.h). */
#include "port/tap_fastpath.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tun.h"
#include "fastpath/fastpath.h"
#include "fastpath/left_tap.h"
#include "port/netdev_port.h"

LOG_MODULE(tap);

bool tap_fastpath_is_left(const struct port_config *config)
{
	return config->fastpath &&
	       fastpath_left_tap(config->fastpath, config->name);
}

static void make_mark(char *mark, const struct port_config *config)
{
	mark[0] = '\0';
	if (config->run_dir)
		snprintf(mark, NETDEV_ALIAS_BYTES, "vsw %s", config->run_dir);
}

bool tap_fastpath_remove_left(const struct port_config *config,
			      const struct netdev_info *info)
{
	char mark[NETDEV_ALIAS_BYTES];

	make_mark(mark, config);
	if (!mark[0] || strcmp(info->alias, mark) != 0 || info->carrier ||
	    left_tap_remove(info->ifindex))
		return false;
	log_info("%s: the device that an earlier vswd has left is made anew",
		 config->name);
	return true;
}

/* Somebody else's alias stays. */
static void set_mark(const struct tap_fastpath *tf, int ifindex, bool set)
{
	const char *from = set ? "" : tf->mark, *to = set ? tf->mark : "";
	struct netdev_info info;

	if (tf->mark[0] && !netdev_get_by_ifindex(ifindex, &info) &&
	    !strcmp(info.alias, from) && netdev_set_alias(ifindex, to))
		log_dbg("%s: cannot set the alias", info.name);
}

static void write_setting(const char *family, const char *name,
			  const char *setting, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family,
		 name, setting);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		log_dbg("%s: %m", path);
	close(fd);
}

/*
 * A tap whose reader is gone has no carrier, at which the host would forget its
 * neighbours there. It could not ask for them anew while nobody floods its
 * questions. (Linux 5.16; before, the host loses them.)
 */
static void keep_neighbors(int ifindex, bool keep)
{
	const char *evict = keep ? "0" : "1";
	char name[IF_NAMESIZE];

	if (!if_indextoname(ifindex, name))
		return;
	write_setting("ipv4", name, "arp_evict_nocarrier", evict);
	write_setting("ipv6", name, "ndisc_evict_nocarrier", evict);
}

static void set_persistent(const struct tap_fastpath *tf,
			   const struct port *port, int fd, bool persistent)
{
	int ifindex = fastpath_port_ifindex(port->fastpath);
	int error = tun_set_persistent(fd, persistent);

	if (error && persistent)
		log_warn("%s: the device goes if this process is killed: %s",
			 port->name, strerror(-error));
	keep_neighbors(ifindex, persistent);
	set_mark(tf, ifindex, persistent);
}

/* ifindex is 0 where it cannot have a part. */
static void join(struct tap_fastpath *tf, struct port *port, int fd,
		 int ifindex)
{
	tf->tried = ifindex;
	if (tf->leaving)
		port->fastpath = tf->leaving;
	else if (ifindex)
		port->fastpath =
			fastpath_port_open(tf->fastpath, ifindex, port->name,
					   FASTPATH_HOST, &port->no_fastpath);
	else
		port->no_fastpath =
			xstrdup("its device is not in this network namespace");
	tf->leaving = NULL;
	if (port->fastpath)
		set_persistent(tf, port, fd, true);
	else
		tun_set_persistent(fd, false); /* it may have been left so */
}

static void add_up(struct fp_counters *sum, const struct fastpath_port *part)
{
	struct fp_counters c;

	fastpath_port_counters(part, &c);
	sum->rx_packets += c.rx_packets;
	sum->rx_bytes += c.rx_bytes;
	sum->tx_packets += c.tx_packets;
	sum->tx_bytes += c.tx_bytes;
}

static void end(struct tap_fastpath *tf, struct fastpath_port **part)
{
	if (!*part)
		return;
	add_up(&tf->past, *part);
	fastpath_port_close(*part);
	*part = NULL;
}

static void leave(struct tap_fastpath *tf, struct port *port, int fd)
{
	set_persistent(tf, port, fd, false);
	tf->leaving = port->fastpath;
	port->fastpath = NULL;
}

/* Another snapshot is to be published. */
static void tell_changed(const struct tap_fastpath *tf, struct port *port)
{
	if (tf->changed)
		tf->changed(port, tf->changed_arg);
}

void tap_fastpath_configure(struct tap_fastpath *tf,
			    const struct port_config *config)
{
	make_mark(tf->mark, config);
	tf->fastpath = config->fastpath;
	tf->tried = -1;
	tf->changed = config->changed;
	tf->changed_arg = config->changed_arg;
}

void tap_fastpath_follow(struct tap_fastpath *tf, struct port *port, int fd,
			 int ifindex)
{
	const struct fastpath_port *before = port->fastpath;
	const struct fastpath_port *had = before ? before : tf->leaving;

	/* Its number is another device's, or may be soon: not for a moment. */
	if (had && fastpath_port_ifindex(had) != ifindex) {
		if (port->fastpath)
			leave(tf, port, fd);
		end(tf, &tf->leaving);
	}
	if (port->fastpath && !tf->fastpath)
		leave(tf, port, fd);
	if (!tf->fastpath || ifindex != tf->tried) {
		free(port->no_fastpath);
		port->no_fastpath = NULL;
	}
	if (!port->fastpath && tf->fastpath && ifindex != tf->tried)
		join(tf, port, fd, ifindex);
	if (port->fastpath)
		fastpath_port_follow(port->fastpath, port->mtu,
				     port->tx_enabled);
	if (port->fastpath != before)
		tell_changed(tf, port);
}

void tap_fastpath_settled(struct tap_fastpath *tf, struct port *port, int fd)
{
	int error;

	end(tf, &tf->leaving);
	if (!port->fastpath || !fastpath_port_is_old(port->fastpath))
		return;
	error = fastpath_port_settle(port->fastpath);
	if (!error)
		return;
	port->no_fastpath = xasprintf("cannot take over the program that was "
				      "left at it: %s",
				      strerror(-error));
	log_warn("%s: %s", port->name, port->no_fastpath);
	leave(tf, port, fd);
	end(tf, &tf->leaving);
	tell_changed(tf, port);
}

void tap_fastpath_counters(const struct tap_fastpath *tf,
			   const struct port *port, struct port_counters *total)
{
	struct fp_counters sum = tf->past;

	if (port->fastpath)
		add_up(&sum, port->fastpath);
	if (tf->leaving)
		add_up(&sum, tf->leaving);
	netdev_port_add_forwarded(&sum, total);
}

void tap_fastpath_close(struct tap_fastpath *tf, struct port *port, int fd)
{
	if (port->fastpath && !fastpath_is_kept(tf->fastpath))
		set_persistent(tf, port, fd, false);
	end(tf, &port->fastpath);
	end(tf, &tf->leaving);
}
