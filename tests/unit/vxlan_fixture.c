/* The vectors of vxlan_fixture.h as bytes and as configuration. */
#include "vxlan_fixture.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct vector vector_of(const char *hex)
{
	struct vector v = { .len = 0 };
	char digits[3] = "";

	for (; *hex; hex += 2) {
		memcpy(digits, hex, 2);
		v.data[v.len++] = strtoul(digits, NULL, 16);
	}
	return v;
}

struct vxlan_outer_config vector_config(int version)
{
	struct vxlan_outer_config c = {
		.dst_mac = 0x021111111111,
		.src_mac = 0x022222222222,
		.ip_version = version,
		.dont_fragment = true,
		.ttl = 64,
	};

	if (version == 4) {
		inet_pton(AF_INET, "192.0.2.1", c.src_ip);
		inet_pton(AF_INET, "192.0.2.2", c.dst_ip);
		return c;
	}
	inet_pton(AF_INET6, "2001:db8::1", c.src_ip);
	inet_pton(AF_INET6, "2001:db8::2", c.dst_ip);
	c.tagged = true;
	c.vlan_tci = 0x6005;
	c.ttl = 9;
	c.udp_csum = VXLAN_CSUM_FULL;
	return c;
}

struct vxlan_outer outer_of(const struct vxlan_outer_config *config)
{
	struct vxlan_outer outer;
	char *error = NULL;

	if (vxlan_outer_init(&outer, config, &error))
		abort();
	return outer;
}

struct vxlan_flow vector_flow(void)
{
	return (struct vxlan_flow){
		.src_port = VECTOR_PORT,
		.is_ip = true,
		.ttl = 64,
	};
}
