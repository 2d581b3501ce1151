/* What Interface:options say of a port to the host's sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "port/hostnet_internal.h"

#define SESSIONS_DEFAULT 8192
#define FILES_OF_OTHERS	 256 /* descriptors that are not ours to use up */

static int bad(const struct port_config *config, const char *key,
	       const char *value, const char *what, char **errp)
{
	return set_error(errp, -EINVAL, "%s: option %s is \"%s\"; it is %s",
			 config->name, key, value, what);
}

/* ADDRESS/LENGTH; false: it is not. */
static bool read_prefix(const char *text, int family, void *ip, unsigned max,
			unsigned *len)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	char *end;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	memcpy(address, text, slash - text);
	address[slash - text] = '\0';
	*len = strtoul(slash + 1, &end, 10);
	return slash[1] && !*end && *len > 0 && *len <= max &&
	       inet_pton(family, address, ip) == 1;
}

static int read_addresses(struct hostnet_net *net,
			  const struct port_config *config, char **errp)
{
	const char *ip4 = port_config_option(config, "ip4");
	const char *ip6 = port_config_option(config, "ip6");
	uint8_t bytes[4];
	unsigned len;

	if (ip4) {
		if (!read_prefix(ip4, AF_INET, bytes, 30, &len))
			return bad(config, "ip4", ip4,
				   "an address with the length of its network, "
				   "such as 10.20.0.1/24",
				   errp);
		net->has_ip4 = true;
		net->ip4 = load_be32(bytes);
		net->mask4 = ~0u << (32 - len);
	}
	if (ip6) {
		if (!read_prefix(ip6, AF_INET6, net->ip6, 126, &len))
			return bad(config, "ip6", ip6,
				   "an address with the length of its network, "
				   "such as fd20::1/64",
				   errp);
		net->has_ip6 = true;
		net->prefix6 = len;
	}
	if (ip4 || ip6)
		return 0;
	return set_error(errp, -EINVAL, "%s: option ip4 or ip6 is needed",
			 config->name);
}

static int read_mac(struct hostnet_net *net, const struct port_config *config,
		    char **errp)
{
	const char *text = port_config_option(config, "router-mac");
	unsigned b[6];
	char rest;

	if (!text || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1],
			    &b[2], &b[3], &b[4], &b[5], &rest) != 6)
		return bad(config, "router-mac", text ? text : "",
			   "a MAC address", errp);
	for (unsigned i = 0; i < 6; i++)
		net->router_mac = net->router_mac << 8 | b[i];
	return 0;
}

static int read_number(const struct port_config *config, const char *key,
		       unsigned min, unsigned max, unsigned *value, char **errp)
{
	const char *text = port_config_option(config, key);
	unsigned long number;
	char range[64], *end;

	if (!text)
		return 0;
	number = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && number >= min &&
	    number <= max) {
		*value = number;
		return 0;
	}
	snprintf(range, sizeof(range), "a number from %u to %u", min, max);
	return bad(config, key, text, range, errp);
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

/* A name without a path is in the run directory. */
static int read_dns(struct hostnet_options *options,
		    const struct port_config *config, char **errp)
{
	const char *name = port_config_option(config, "dns-socket");
	const char *dir = config->run_dir ? config->run_dir : ".";
	char *path;
	int error;

	if (!name)
		return 0;
	path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		error = bad(config, "dns-socket", path,
			    "a path of at most 107 characters", errp);
		free(path);
		return error;
	}
	options->dns_socket = path;
	options->net.dns = options->net.has_ip4;
	return 0;
}

/* No more than descriptors may be opened. */
static void limit_sessions(struct hostnet_options *options)
{
	struct rlimit files;
	unsigned most;

	if (getrlimit(RLIMIT_NOFILE, &files) ||
	    files.rlim_cur > 2 * FILES_OF_OTHERS + options->sessions_max)
		return;
	most = files.rlim_cur > 2 * FILES_OF_OTHERS
		       ? files.rlim_cur - FILES_OF_OTHERS
		       : files.rlim_cur / 2;
	options->sessions_max = MIN(options->sessions_max, most);
}

int hostnet_options_read(struct hostnet_options *options,
			 const struct port_config *config, char **errp)
{
	unsigned mtu = PORT_MTU_DEFAULT;
	int error;

	memset(options, 0, sizeof(*options));
	options->net.way_out = true;
	options->sessions_max = SESSIONS_DEFAULT;
	error = read_addresses(&options->net, config, errp);
	if (!error)
		error = read_mac(&options->net, config, errp);
	if (!error)
		error = read_number(config, "mtu",
				    options->net.has_ip6 ? 1280 : 576,
				    HOSTNET_IP_MAX, &mtu, errp);
	options->net.mtu = mtu;
	if (!error)
		error = read_bool(config, "way-out", &options->net.way_out,
				  errp);
	if (!error)
		error = read_bool(config, "host-loopback",
				  &options->net.host_loopback, errp);
	if (!error)
		error = read_number(config, "sessions-max", 1, 1000000,
				    &options->sessions_max, errp);
	limit_sessions(options);
	options->client_sessions_max = MAX(options->sessions_max / 4, 1u);
	if (!error)
		error = read_number(config, "client-sessions-max", 1, 1000000,
				    &options->client_sessions_max, errp);
	if (!error)
		error = read_dns(options, config, errp);
	if (error)
		hostnet_options_clear(options);
	return error;
}

void hostnet_options_clear(struct hostnet_options *options)
{
	free(options->dns_socket);
	options->dns_socket = NULL;
}

bool hostnet_options_same(const struct hostnet_options *a,
			  const struct hostnet_options *b)
{
	const struct hostnet_net *m = &a->net, *n = &b->net;

	return m->has_ip4 == n->has_ip4 && m->has_ip6 == n->has_ip6 &&
	       m->ip4 == n->ip4 && m->mask4 == n->mask4 &&
	       !memcmp(m->ip6, n->ip6, sizeof(m->ip6)) &&
	       m->prefix6 == n->prefix6 && m->router_mac == n->router_mac &&
	       m->mtu == n->mtu && m->way_out == n->way_out &&
	       m->host_loopback == n->host_loopback && m->dns == n->dns &&
	       !strcmp(a->dns_socket ? a->dns_socket : "",
		       b->dns_socket ? b->dns_socket : "");
}
