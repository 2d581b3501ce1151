/* What the configuration says of a port of type "vxlan-udp". */
#include <errno.h>
#include <stdlib.h>

#include "port/vxlan_udp.h"

static int bad(const struct port_config *config, const char *key,
	       const char *value, const char *what, char **errp)
{
	return set_error(errp, -EINVAL, "%s: option %s is \"%s\"; it is %s",
			 config->name, key, value, what);
}

static int read_bool(const struct port_config *config, const char *key,
		     bool *value, char **errp)
{
	const char *text = port_config_option(config, key);

	if (text && strcmp(text, "true") && strcmp(text, "false"))
		return bad(config, key, text, "true or false", errp);
	if (text)
		*value = !strcmp(text, "true");
	return 0;
}

static int read_port(struct vxlan_udp_options *o,
		     const struct port_config *config, char **errp)
{
	const char *text = port_config_option(config, "dst_port");
	unsigned long port;
	char *end;

	o->dst_port = VXLAN_UDP_DEFAULT_PORT;
	if (!text)
		return 0;
	port = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || !port || port > UINT16_MAX)
		return bad(config, "dst_port", text,
			   "a UDP port, from 1 to 65535", errp);
	o->dst_port = port;
	return 0;
}

static bool is_group(const struct net_addr *ip)
{
	return ip->version == 4 ? ip->bytes[0] >> 4 == 0xe
				: ip->bytes[0] == 0xff;
}

static bool needs_device(const struct net_addr *ip)
{
	return ip->version && (is_group(ip) || (ip->bytes[0] == 0xfe &&
						(ip->bytes[1] & 0xc0) == 0x80 &&
						ip->version == 6));
}

static int read_local(struct vxlan_udp_options *o,
		      const struct port_config *config, char **errp)
{
	const char *version = port_config_option(config, "ip_version");
	const char *local = port_config_option(config, "local_ip");

	if (version && strcmp(version, "4") && strcmp(version, "6"))
		return bad(config, "ip_version", version, "4 or 6", errp);
	o->version = version ? version[0] - '0' : 0;
	if (local && local[0] && !net_addr_parse(&o->local, local, o->version))
		return bad(config, "local_ip", local,
			   o->version == 6   ? "an IPv6 address"
			   : o->version == 4 ? "an IPv4 address"
					     : "an IP address",
			   errp);
	if (needs_device(&o->local))
		return bad(config, "local_ip", local,
			   "not a link-local address or group: those are on "
			   "several devices",
			   errp);
	if (!o->version)
		o->version = o->local.version ? o->local.version : 4;
	return 0;
}

/* One of the list, of len characters. */
static bool read_group(struct vxlan_udp_options *o, const char *text,
		       size_t len)
{
	struct net_addr *ip = &o->groups[o->n_groups];
	char one[NET_TEXT_MAX];

	if (len >= sizeof(one) || o->n_groups == VXLAN_UDP_GROUPS_MAX)
		return false;
	memcpy(one, text, len);
	one[len] = '\0';
	if (!net_addr_parse(ip, one, o->version) || !is_group(ip))
		return false;
	o->n_groups++;
	return true;
}

static int read_groups(struct vxlan_udp_options *o,
		       const struct port_config *config, char **errp)
{
	const char *text = port_config_option(config, "groups");
	const char *dev = port_config_option(config, "group_dev");

	for (const char *at = text; at && *at;) {
		size_t len = strcspn(at, ",");

		if (!read_group(o, at, len))
			return bad(config, "groups", text,
				   "a list of at most 32 multicast addresses "
				   "of the port's IP version, with commas",
				   errp);
		at += len + (at[len] == ',');
	}
	if (dev && strlen(dev) >= sizeof(o->group_dev))
		return bad(config, "group_dev", dev,
			   "the name of a network device", errp);
	if (dev)
		strcpy(o->group_dev, dev);
	return 0;
}

int vxlan_udp_options_read(struct vxlan_udp_options *o,
			   const struct port_config *config, char **errp)
{
	int error;

	memset(o, 0, sizeof(*o));
	o->df = true;
	error = read_local(o, config, errp);
	if (!error)
		error = read_port(o, config, errp);
	if (!error)
		error = read_bool(config, "df", &o->df, errp);
	if (!error)
		error = read_bool(config, "csum", &o->csum, errp);
	if (!error)
		error = read_groups(o, config, errp);
	return error;
}

bool vxlan_udp_options_same(const struct vxlan_udp_options *a,
			    const struct vxlan_udp_options *b)
{
	if (a->n_groups != b->n_groups)
		return false;
	for (unsigned i = 0; i < a->n_groups; i++)
		if (net_addr_compare(&a->groups[i], &b->groups[i]))
			return false;
	return a->version == b->version && a->dst_port == b->dst_port &&
	       a->local.version == b->local.version &&
	       (!a->local.version || !net_addr_compare(&a->local, &b->local)) &&
	       a->df == b->df && a->csum == b->csum &&
	       !strcmp(a->group_dev, b->group_dev);
}
