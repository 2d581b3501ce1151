/* What the host's kernel knows of the way to a remote VTEP (vxlan_port.h). */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/vxlan_udp.h"

/* A connected socket has a route, and is told the MTU of it. */
static uint32_t ask(int fd, const union vxlan_address *to, socklen_t to_len,
		    const union vxlan_address *from)
{
	bool is6 = to->any.sa_family == AF_INET6;
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	if (from && bind(fd, &from->any, to_len))
		return 0;
	if (connect(fd, &to->any, to_len))
		return 0;
	if (is6 ? getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len)
		: getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len))
		return 0;
	return MAX(mtu, 0);
}

static socklen_t address_of(union vxlan_address *address, const uint8_t *ip,
			    unsigned len, uint16_t port)
{
	struct net_addr addr = { .version = len == 4 ? 4 : 6 };

	memcpy(addr.bytes, ip, len);
	return vxlan_address_make(address, &addr, port);
}

uint32_t vxlan_path_mtu(const uint8_t *ip, unsigned len, const uint8_t *local,
			unsigned local_len)
{
	union vxlan_address to, from;
	socklen_t to_len;
	uint32_t mtu;
	int fd;

	if ((len != 4 && len != 16) || (local_len && local_len != len))
		return 0;
	to_len = address_of(&to, ip, len, VXLAN_UDP_DEFAULT_PORT);
	if (local_len)
		address_of(&from, local, len, 0);
	fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	mtu = ask(fd, &to, to_len, local_len ? &from : NULL);
	close(fd);
	return mtu;
}
