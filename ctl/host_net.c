/* Devices, addresses and routes of the host (host_net.h). */
#include "ctl/host_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH_BYTES 256
#define LINE_BYTES 512
/* Shorter ones lead anywhere: VPNs have two halves as a default route. */
#define MIN_ROUTE_LEN 2

/* --- whose network -------------------------------------------------------- */

/* Of the process that listens, by a connection of its own; 0: unknown. */
static pid_t find_listener(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	int fd;

	if (strlen(path) >= sizeof(at.sun_path))
		return 0;
	memcpy(at.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		peer.pid = 0;
	close(fd);
	return peer.pid;
}

bool host_net_is_of(const char *path)
{
	pid_t pid = find_listener(path);
	struct stat own, its;
	char *link;
	bool same;

	if (pid <= 0) /* 0: it is in another namespace of processes, too */
		return false;
	link = xasprintf("/proc/%ld/ns/net", (long)pid);
	same = !stat("/proc/self/ns/net", &own) && !stat(link, &its) &&
	       own.st_dev == its.st_dev && own.st_ino == its.st_ino;
	free(link);
	return same;
}

bool host_net_has_device(const char *name)
{
	return if_nametoindex(name);
}

/* --- devices -------------------------------------------------------------- */

static bool has_entry(const char *sys, const char *name, const char *entry)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/class/net/%s/%s", sys, name, entry);
	return !access(path, F_OK);
}

/* The kernel's bridge, bond or switch that has the device. */
static bool find_master(const char *sys, const char *name,
			char master[PATH_BYTES])
{
	char path[PATH_BYTES], target[PATH_BYTES];
	const char *base;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/class/net/%s/master", sys, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	base = strrchr(target, '/');
	snprintf(master, PATH_BYTES, "%s", base ? base + 1 : target);
	return true;
}

/* Those of one link only come and go with the device. */
static bool is_hosts(const struct sockaddr *sa)
{
	const struct in6_addr *ip6 =
		&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

	return sa->sa_family == AF_INET ||
	       (sa->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(ip6));
}

static bool find_address(const char *name, char text[NET_TEXT_MAX])
{
	struct ifaddrs *list, *at;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (at = list; at && !found; at = at->ifa_next) {
		const struct sockaddr *sa = at->ifa_addr;
		bool v4 = sa && sa->sa_family == AF_INET;

		if (!sa || strcmp(at->ifa_name, name) || !is_hosts(sa))
			continue;
		inet_ntop(sa->sa_family,
			  v4 ? (const void *)&((const struct sockaddr_in
							*)(const void *)sa)
					  ->sin_addr
			     : (const void *)&((const struct sockaddr_in6
							*)(const void *)sa)
					  ->sin6_addr,
			  text, NET_TEXT_MAX);
		found = true;
	}
	freeifaddrs(list);
	return found;
}

char *host_net_name_doubt(const char *sys, const char *name)
{
	/* A tap may be vswd's own, or wait for it. */
	if (!has_entry(sys, name, "") || has_entry(sys, name, "tun_flags"))
		return NULL;
	return xasprintf("there is a network device %s already, and the host "
			 "gets a device of that name; take another name",
			 name);
}

char *host_net_device_doubt(const char *sys, const char *name, bool force)
{
	char master[PATH_BYTES], address[NET_TEXT_MAX];

	if (strchr(name, '/') || strlen(name) >= IFNAMSIZ)
		return xasprintf("\"%s\" cannot be a network device's name",
				 name);
	if (has_entry(sys, name, "wireless") ||
	    has_entry(sys, name, "phy80211"))
		return xasprintf("%s is a Wi-Fi device: its access point "
				 "takes frames of one MAC address only, and "
				 "machines have their own; use a segment of "
				 "type nat with outside=host, which works on "
				 "any network",
				 name);
	if (find_master(sys, name, master))
		return xasprintf("%s is a port of the kernel's %s; a device "
				 "can be in one bridge only (\"ip link set "
				 "%s nomaster\" takes it out)",
				 name, master, name);
	if (!force && find_address(name, address))
		return xasprintf("%s carries the host's address %s, and the "
				 "host would lose its network through it; use "
				 "type nat with outside=host, move the "
				 "address, or give --force to do it anyway",
				 name, address);
	return NULL;
}

/* --- routes --------------------------------------------------------------- */

/* A line of /proc/net/route. */
static bool parse_route4(const char *line, struct net_prefix *to, char *device)
{
	uint32_t network, mask;

	if (sscanf(line, "%15s %x %*x %*x %*d %*d %*d %x", device, &network,
		   &mask) != 3)
		return false;
	memset(to, 0, sizeof(*to));
	to->addr.version = 4;
	to->len = (unsigned)__builtin_popcount(mask);
	memcpy(to->addr.bytes, &network, sizeof(network)); /* as on the wire */
	return true;
}

/* A line of /proc/net/ipv6_route. */
static bool parse_route6(const char *line, struct net_prefix *to, char *device)
{
	char hex[33];

	if (sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %*x %15s", hex,
		   &to->len, device) != 3 ||
	    strlen(hex) != 32 || to->len > 128)
		return false;
	to->addr = (struct net_addr){ .version = 6 };
	for (unsigned i = 0; i < 16; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		to->addr.bytes[i] = (uint8_t)byte;
	}
	return true;
}

char *host_net_route_overlap(const char *proc, const struct net_prefix *net,
			     const char *own)
{
	bool v4 = net->addr.version == 4;
	char line[LINE_BYTES], device[IFNAMSIZ], text[NET_TEXT_MAX];
	struct net_prefix to;
	char *found = NULL, *path;
	FILE *file;

	path = xasprintf("%s/net/%s", proc, v4 ? "route" : "ipv6_route");
	file = fopen(path, "re");
	free(path);
	if (!file)
		return NULL; /* no IPv6 here, or no way to know */
	while (!found && fgets(line, sizeof(line), file)) {
		if (!(v4 ? parse_route4 : parse_route6)(line, &to, device) ||
		    to.len < MIN_ROUTE_LEN || !strcmp(device, own) ||
		    !strcmp(device, "lo") || !net_prefix_overlaps(&to, net))
			continue;
		found = xasprintf("%s/%u by %s", net_addr_text(&to.addr, text),
				  to.len, device);
	}
	fclose(file);
	return found;
}
