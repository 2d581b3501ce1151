/* Rows of tables Segment, Forward and Lease, and what is made of each value. */
#include "segment_database.h"

#include <stdlib.h>
#include <string.h>

static struct segment_database f;

static int setup(void **state)
{
	segment_database_start(&f);
	return 0;
}

static int teardown(void **state)
{
	segment_database_stop(&f);
	return 0;
}

/* The segment "lab" with these columns. */
static const struct cfg_segment *read_as(const char *columns)
{
	if (!f.config || !segment_database_bridge(&f, "lab"))
		segment_database_add(&f, "lab", columns);
	else
		segment_database_set(&f, "lab", columns);
	segment_database_read(&f);
	return segment_database_get(&f, "lab");
}

static const char *option(const struct cfg_interface *interface,
			  const char *key)
{
	const char *value = cfg_interface_option(interface, key);

	return value ? value : "";
}

#define IP4(A, B, C, D) ((uint32_t)(A) << 24 | (B) << 16 | (C) << 8 | (D))

/* --- what it is without options --------------------------------------------
 */

static void nat_defaults(void **state)
{
	const struct cfg_segment *s =
		read_as("{'type':'nat','subnet':'198.18.0.0/24'}");

	assert_null(s->error);
	assert_string_equal(s->name, "lab");
	assert_int_equal(s->type, SEGMENT_NAT);
	assert_int_equal(s->outside, OUTSIDE_HOST);
	assert_int_equal(s->ip4, IP4(198, 18, 0, 1));
	assert_int_equal(s->prefix4_len, 24);
	assert_int_equal(s->ip6.prefix_len, 0);
	assert_int_equal(s->mtu, 1500);
	assert_int_equal(s->mac >> 40 & 3, 2); /* local, of one machine */
	assert_true(s->dhcp_on && s->dns_on && !s->dhcpv6_on);
	assert_int_equal(s->dhcp.first, IP4(198, 18, 0, 2));
	assert_int_equal(s->dhcp.last, IP4(198, 18, 0, 254));
	assert_int_equal(s->dhcp.router, s->ip4);
	assert_int_equal(s->dhcp.lease_s, 3600);
	assert_int_equal(s->dhcp.dns[0], s->ip4);
	assert_int_equal(s->dhcp.n_dns, 1);
	assert_string_equal(s->dhcp.domain, "lab");
	assert_string_equal(s->dns.domain, "lab");
	assert_string_equal(s->resolv_conf, "/etc/resolv.conf");
	assert_int_equal(s->nat.max_sessions, 65536);
	assert_int_equal(s->nat_options.udp_s, 300);
	assert_false(s->host_loopback || s->isolated);
}

static void host_only_defaults(void **state)
{
	const struct cfg_segment *s = read_as("{'type':'host-only',"
					      "'subnet':'198.18.0.0/24',"
					      "'subnet6':'2001:db8:1::/64'}");

	assert_null(s->error);
	assert_int_equal(s->outside, OUTSIDE_NONE);
	assert_int_equal(s->host_ip4, IP4(198, 18, 0, 1));
	assert_int_equal(s->ip4, IP4(198, 18, 0, 254));
	assert_int_equal(s->dhcp.first, IP4(198, 18, 0, 2));
	assert_int_equal(s->dhcp.last, IP4(198, 18, 0, 253));
	assert_int_equal(s->dhcp.router, 0);
	assert_int_equal(s->host_ip6[15], 1);
	assert_int_equal(s->ip6.ip[15], 2);
	assert_true(s->ra.enabled && !s->ra.default_router);
	assert_null(s->resolv_conf);
}

/* The host's address among those of clients is nobody's. */
static void host_address_is_reserved(void **state)
{
	const struct cfg_segment *s =
		read_as("{'type':'host-only','subnet':'198.18.0.0/24',"
			"'options':['map',[['host-address','198.18.0.77'],"
			"['address','198.18.0.1']]]}");

	assert_null(s->error);
	assert_int_equal(s->dhcp.n_reservations, 1);
	assert_int_equal(s->dhcp.reservations[0].ip, IP4(198, 18, 0, 77));
}

static void others_have_no_gateway(void **state)
{
	const struct cfg_segment *s = read_as("{'type':'internal'}");

	assert_null(s->error);
	assert_false(s->dhcp_on || s->dns_on || s->dhcpv6_on);
	assert_int_equal(segment_database_bridge(&f, "lab")->n_ports, 0);
	assert_int_equal(f.config->n_bridges, 1);
	s = read_as("{'type':'bridged','isolated':true}");
	assert_null(s->error);
	assert_true(s->isolated);
	assert_int_equal(f.config->n_bridges, 1);
}

/* --- all options -----------------------------------------------------------
 */

static void options(void **state)
{
	const struct cfg_segment *s = read_as(
		"{'type':'nat','subnet':'198.18.0.0/24',"
		"'subnet6':'2001:db8:1::/64',"
		"'static_leases':['map',[['02:00:00:00:00:15','198.18.0.15'],"
		"  ['02:00:00:00:00:16','198.18.0.16,vm16']]],"
		"'options':['map',[['address','198.18.0.9'],"
		"['address6','2001:db8:1::9'],['mac','02:00:00:00:00:99'],"
		"['mtu','1400'],['dhcp-range','198.18.0.20-198.18.0.29'],"
		"['lease-time','120'],['router','none'],"
		"['dns-servers','198.18.0.5,2001:db8::5'],['domain','x.org'],"
		"['search','a.org, b.org'],['ntp-servers','198.18.0.6'],"
		"['routes','10.5.0.0/16=198.18.0.7'],"
		"['next-server','198.18.0.8'],['tftp-server','tftp'],"
		"['boot-file','any'],['boot-file-7','efi'],"
		"['leases-per-port','3'],"
		"['dns-forward','198.18.1.1:5353,[2001:db8::1]:54,"
		"fe80::1%eth0'],['ra','false'],['dhcpv6','false'],"
		"['host-loopback','true']]]}");

	assert_null(s->error);
	assert_int_equal(s->ip4, IP4(198, 18, 0, 9));
	assert_int_equal(s->ip6.ip[15], 9);
	assert_int_equal(s->mac, 0x020000000099);
	assert_int_equal(s->mtu, 1400);
	assert_int_equal(s->dhcp.mtu, 1400);
	assert_int_equal(s->dhcp.first, IP4(198, 18, 0, 20));
	assert_int_equal(s->dhcp.last, IP4(198, 18, 0, 29));
	assert_int_equal(s->dhcp.lease_s, 120);
	assert_int_equal(s->dhcp.router, 0);
	assert_int_equal(s->dhcp.n_dns, 1);
	assert_int_equal(s->dhcp.dns[0], IP4(198, 18, 0, 5));
	assert_int_equal(s->dhcpv6.n_dns, 1);
	assert_string_equal(s->dhcp.domain, "x.org");
	assert_int_equal(s->dhcp.n_search, 2);
	assert_string_equal(s->dhcp.search[1], "b.org");
	assert_int_equal(s->dhcp.ntp[0], IP4(198, 18, 0, 6));
	assert_int_equal(s->dhcp.n_routes, 1);
	assert_int_equal(s->dhcp.routes[0].prefix_len, 16);
	assert_int_equal(s->dhcp.routes[0].gateway, IP4(198, 18, 0, 7));
	assert_int_equal(s->dhcp.next_server, IP4(198, 18, 0, 8));
	assert_string_equal(s->dhcp.tftp_server, "tftp");
	assert_int_equal(s->dhcp.n_boot, 2);
	assert_int_equal(s->dhcp.boot[0].arch, -1);
	assert_int_equal(s->dhcp.boot[1].arch, 7);
	assert_string_equal(s->dhcp.boot[1].file, "efi");
	assert_int_equal(s->dhcp.leases_per_port, 3);
	assert_int_equal(s->dhcp.n_reservations, 2);
	assert_null(s->dhcp.reservations[0].hostname);
	assert_string_equal(s->dhcp.reservations[1].hostname, "vm16");
	assert_int_equal(s->n_dns_servers, 3);
	assert_int_equal(s->dns_servers[0].port, 5353);
	assert_int_equal(s->dns_servers[1].port, 54);
	assert_int_equal(s->dns_servers[2].port, 53);
	assert_string_equal(s->dns_servers[2].scope, "eth0");
	assert_false(s->ra.enabled || s->dhcpv6_on);
	assert_true(s->host_loopback);
}

static void uplink_options(void **state)
{
	const struct cfg_segment *s;

	segment_database_add(&f, "br-ext", NULL);
	s = read_as("{'type':'nat','subnet':'198.18.0.0/24',"
		    "'subnet6':'2001:db8:1::/64','outside':'br-ext',"
		    "'options':['map',["
		    "['outside-address','198.19.0.5/24,198.19.0.8-198.19.0.10,"
		    "203.0.113.1'],['outside-gateway','198.19.0.1'],"
		    "['outside-address6','2001:db8:2::5/64,2001:db8:2::6'],"
		    "['outside-gateway6','fe80::1'],['outside-tag','7'],"
		    "['outside-mtu','1492'],['ipv6','routed'],"
		    "['nat-sessions','1000'],['nat-clients','10'],"
		    "['udp-timeout','200'],['tcp-timeout','8000'],"
		    "['icmp-timeout','90'],['filtering','address-dependent'],"
		    "['client-sessions','11'],['client-ports','12'],"
		    "['client-rate','13']]]}");
	assert_null(s->error);
	assert_int_equal(s->outside, OUTSIDE_BRIDGE);
	assert_string_equal(s->uplink.bridge, "br-ext");
	assert_int_equal(s->uplink.n_ip4, 5);
	assert_int_equal(s->uplink.ip4[0].prefix_len, 24);
	assert_int_equal(s->uplink.ip4[3].ip, IP4(198, 19, 0, 10));
	assert_int_equal(s->uplink.ip4[3].prefix_len, 24);
	assert_int_equal(s->uplink.ip4[4].prefix_len, 32);
	assert_int_equal(s->uplink.gateway4, IP4(198, 19, 0, 1));
	assert_int_equal(s->uplink.n_ip6, 2);
	assert_int_equal(s->uplink.ip6[1].prefix_len, 64);
	assert_int_equal(s->uplink.gateway6[15], 1);
	assert_int_equal(s->uplink.tag, 7);
	assert_int_equal(s->uplink.mtu, 1492);
	assert_false(s->uplink.dhcp || s->uplink.slaac || s->nat6);
	assert_int_equal(s->nat.max_sessions, 1000);
	assert_int_equal(s->nat.max_clients, 10);
	assert_int_equal(s->nat.filtering, NAT_FILTER_ADDRESS);
	assert_int_equal(s->nat_options.udp_s, 200);
	assert_int_equal(s->nat_options.tcp_s, 8000);
	assert_int_equal(s->nat_options.icmp_s, 90);
	assert_int_equal(s->nat_options.client_sessions, 11);
	assert_int_equal(s->nat_options.client_ports, 12);
	assert_int_equal(s->nat_options.client_rate, 13);
	s = read_as("{'type':'nat','subnet':'198.18.0.0/24',"
		    "'outside':'br-ext'}");
	assert_true(s->uplink.dhcp && !s->uplink.slaac && s->nat6);
}

/* --- what it makes up ------------------------------------------------------
 */

static void made_up(void **state)
{
	const struct cfg_interface *gw, *hgw, *host, *out;
	const struct cfg_segment *s;
	char mac[MAC_STRING_SIZE];

	segment_database_add(&f, "br-ext", NULL);
	s = read_as("{'type':'nat','subnet':'198.18.0.0/24',"
		    "'subnet6':'2001:db8:1::/64',"
		    "'options':['map',[['host-loopback','true']]]}");
	gw = segment_database_interface(&f, "lab", "lab.gw");
	hgw = segment_database_interface(&f, "lab.host", "lab.hgw");
	host = segment_database_interface(&f, "lab.host", "lab.host");
	assert_true(gw && hgw && host);
	assert_true(segment_database_bridge(&f, "lab.host")->made_up);
	assert_int_equal(f.config->n_bridges, 3);
	assert_string_equal(gw->type, "gateway");
	assert_string_equal(hgw->type, "gateway");
	assert_string_equal(host->type, "hostnet");
	assert_int_equal(gw->mac, s->mac);
	assert_int_not_equal(hgw->mac, gw->mac);
	assert_string_equal(option(host, "ip4"), "198.18.0.1/24");
	assert_string_equal(option(host, "ip6"), "2001:db8:1::1/64");
	assert_string_equal(option(host, "router-mac"),
			    mac_format(hgw->mac, mac));
	assert_string_equal(option(host, "mtu"), "1500");
	assert_string_equal(option(host, "dns-socket"), "lab.dns");
	assert_string_equal(option(host, "host-loopback"), "true");
	assert_string_equal(option(host, "way-out"), "");
	assert_null(segment_database_interface(&f, "br-ext", "lab.out"));

	read_as("{'type':'nat','subnet':'198.18.0.0/24','outside':'br-ext',"
		"'options':['map',[['outside-tag','5'],['dns','false']]]}");
	out = segment_database_interface(&f, "br-ext", "lab.out");
	host = segment_database_interface(&f, "lab.host", "lab.host");
	assert_non_null(out);
	assert_string_equal(out->type, "gateway");
	assert_int_equal(
		segment_database_bridge(&f, "br-ext")->ports[0]->vlan.tag, 5);
	assert_string_equal(option(host, "way-out"), "false");
	assert_string_equal(option(host, "dns-socket"), "");
}

/* --- what makes no sense ---------------------------------------------------
 */

#define NET "'subnet':'198.18.0.0/24'"
#define WITH(KEY, VALUE)                                                       \
	"{'type':'nat'," NET ",'options':['map',[['" KEY "','" VALUE "']]]}"
#define WITH6(KEY, VALUE)                                                      \
	"{'type':'nat'," NET ",'subnet6':'2001:db8:1::/64',"                   \
	"'options':['map',[['" KEY "','" VALUE "']]]}"
#define OUT(KEY, VALUE)                                                        \
	"{'type':'nat'," NET ",'outside':'br-ext',"                            \
	"'options':['map',[['" KEY "','" VALUE "']]]}"
#define OUT2(KEY, VALUE, KEY2, VALUE2)                                         \
	"{'type':'nat'," NET ",'outside':'br-ext','options':['map',[['" KEY    \
	"','" VALUE "'],['" KEY2 "','" VALUE2 "']]]}"
#define STATIC(MAC, VALUE)                                                     \
	"{'type':'nat'," NET ",'static_leases':['map',[['" MAC "','" VALUE     \
	"']]]}"
#define STATIC2(MAC, VALUE, MAC2, VALUE2)                                      \
	"{'type':'nat'," NET ",'static_leases':['map',[['" MAC "','" VALUE     \
	"'],['" MAC2 "','" VALUE2 "']]]}"

#define MAC1 "02:00:00:00:00:01"
#define MAC2 "02:00:00:00:00:02"

/* The columns, what is wrong, and what would be right. */
static const char *const wrong[][3] = {
	{ "{'type':'nat'}", "needs a subnet", "10.20.0.0/24" },
	{ "{'type':'host-only'}", "host-only needs", "10.20.0.0/24" },
	{ "{'type':'bridged'," NET "}", "bridged", "clear subnet" },
	{ "{'type':'internal','outside':'host'}", "outside", "clear" },
	{ "{'type':'nat'," NET ",'outside':'lab'}", "\"lab\"", "another" },
	{ "{'type':'nat','subnet':'lan'}", "\"lan\"", "10.20.0.0/24" },
	{ "{'type':'nat','subnet':'198.18.0.0'}", "198.18.0.0", "/24" },
	{ "{'type':'nat','subnet':'198.18.0.4/31'}", "/31", "/30" },
	{ "{'type':'nat','subnet':'198.18.0.1/24'}", "beyond",
	  "198.18.0.0/24" },
	{ "{'type':'nat','subnet':'127.0.0.0/8'}", "127", "10.20.0.0/24" },
	{ "{'type':'nat','subnet':'224.0.0.0/8'}", "224", "10.20.0.0/24" },
	{ "{'type':'nat','subnet6':'lan'}", "lan", "fd20::/64" },
	{ "{'type':'nat','subnet6':'fe80::/64'}", "fe80", "fd20::/64" },
	{ "{'type':'nat','subnet6':'fd20::1/64'}", "beyond", "0" },
	{ "{'type':'nat','subnet6':'2001:db8::/48'}", "/48", "ra to false" },
	{ WITH("address", "198.18.1.1"), "address", "198.18.0.1" },
	{ WITH("address", "198.18.0.255"), "address", "198.18.0.254" },
	{ WITH6("address6", "2001:db8:2::1"), "address6", "2001:db8:1::/64" },
	{ "{'type':'host-only'," NET
	  ",'options':['map',[['host-address','198.18.0.254']]]}",
	  "host-address", "one each" },
	{ WITH("mac", "01:00:00:00:00:01"), "mac", "unicast" },
	{ WITH("mtu", "12"), "mtu", "576" },
	{ WITH6("mtu", "1000"), "mtu", "1280" },
	{ WITH("dhcp", "maybe"), "dhcp", "true or false" },
	{ WITH("dhcp-range", "x"), "dhcp-range", "10.20.0.100" },
	{ WITH("dhcp-range", "198.18.0.9-198.18.0.2"), "dhcp-range", "first" },
	{ WITH("dhcp-range", "198.18.1.1-198.18.1.9"), "dhcp-range",
	  "198.18.0.254" },
	{ WITH("lease-time", "10"), "lease-time", "60" },
	{ WITH("router", "198.19.0.1"), "router", "none" },
	{ WITH("dns-servers", "x"), "dns-servers", "addresses" },
	{ WITH("ntp-servers", "x"), "ntp-servers", "IPv4" },
	{ WITH("domain", "a..b"), "domain", "a..b" },
	{ WITH("search", "a..b"), "search", "a..b" },
	{ WITH("routes", "10.0.0.1/8=198.18.0.2"), "routes", "10.5.0.0/16" },
	{ WITH("routes", "10.0.0.0/8=198.19.0.2"), "routes", "198.19.0.2" },
	{ WITH("next-server", "x"), "next-server", "10.20.0.1" },
	{ WITH("leases-per-port", "0"), "leases-per-port", "65536" },
	{ WITH("dns", "1"), "options:dns ", "true or false" },
	{ WITH("dns-forward", "x"), "dns-forward", "192.0.2.1" },
	{ WITH("dns-forward", "192.0.2.1:0"), "dns-forward", "5353" },
	{ WITH("resolv-conf", "x"), "resolv-conf", "whole path" },
	{ WITH6("ipv6", "maybe"), "ipv6", "routed" },
	{ WITH6("ipv6", "routed"), "host's sockets", "bridge" },
	{ WITH("host-loopback", "x"), "host-loopback", "true or false" },
	{ OUT("outside-address", "x"), "outside-address", "dhcp" },
	{ OUT("outside-address", "198.19.0.5"), "outside-address", "length" },
	{ OUT("outside-address", "198.19.0.5/24,198.19.0.5"), "outside-address",
	  "dhcp" },
	{ OUT("outside-address", "198.19.0.0/24"), "outside-address", "dhcp" },
	{ OUT("outside-address", "198.18.0.5/16"), "overlaps", "another" },
	{ OUT("outside-gateway", "198.19.0.1"), "outside-gateway",
	  "set outside-address" },
	{ OUT2("outside-address", "198.19.0.5/24", "outside-gateway",
	       "198.20.0.1"),
	  "outside-gateway", "outside-address's" },
	{ OUT2("outside-address", "198.19.0.5/24", "outside-gateway",
	       "198.19.0.5"),
	  "outside-gateway", "another" },
	{ OUT("outside-address6", "x"), "outside-address6", "auto" },
	{ OUT("outside-gateway6", "fe80::1"), "outside-gateway6",
	  "set outside-address6" },
	{ OUT2("outside-address6", "2001:db8:2::5/64", "outside-gateway6",
	       "2001:db8:3::1"),
	  "outside-gateway6", "link-local" },
	{ OUT("outside-tag", "4095"), "outside-tag", "4094" },
	{ OUT("outside-mtu", "1"), "outside-mtu", "576" },
	{ OUT("nat-sessions", "0"), "nat-sessions", "16777216" },
	{ OUT("nat-clients", "0"), "nat-clients", "1" },
	{ OUT("udp-timeout", "5"), "udp-timeout", "120" },
	{ OUT("tcp-timeout", "5"), "tcp-timeout", "7440" },
	{ OUT("icmp-timeout", "5"), "icmp-timeout", "60" },
	{ OUT("filtering", "x"), "filtering", "address-dependent" },
	{ OUT("client-rate", "x"), "client-rate", "1" },
	{ STATIC("x", "198.18.0.5"), "\"x\"", "MAC" },
	{ STATIC("ff:ff:ff:ff:ff:ff", "198.18.0.5"), "ff:", "one machine" },
	{ STATIC(MAC1, "x"), MAC1, "address" },
	{ STATIC(MAC1, "198.18.0.5,a_b"), "a_b", "vm1" },
	{ STATIC(MAC1, "198.19.0.5"), "198.19.0.5", "subnet" },
	{ STATIC(MAC1, "198.18.0.1"), "198.18.0.1", "gateway" },
	{ STATIC(MAC1, "198.18.0.255"), "198.18.0.255", "subnet" },
	{ STATIC2(MAC1, "198.18.0.5", MAC2, "198.18.0.5"), MAC1, "address" },
	{ STATIC2(MAC1, "198.18.0.5,a", MAC2, "198.18.0.6,A"), MAC1, "name" },
	{ STATIC2("02:00:00:00:00:0a", "198.18.0.5", "02:00:00:00:00:0A",
		  "198.18.0.6"),
	  "0a", "MAC" },
	{ "{'type':'host-only','subnet':'198.18.0.0/30'}", "/30", "larger" },
	{ "{'type':'nat'," NET ",'options':['map',[['dns-forward','192.0.2.1'],"
	  "['resolv-conf','/etc/resolv.conf']]]}",
	  "dns-forward", "remove one" },
};

static void errors(void **state)
{
	segment_database_add(&f, "br-ext", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		const char *error = read_as(wrong[i][0])->error;

		if (!error || !strstr(error, wrong[i][1]) ||
		    !strstr(error, wrong[i][2]) || strchr(error, '\n'))
			fail_msg("%s: %s", wrong[i][0],
				 error ? error : "no error");
		assert_null(segment_database_bridge(&f, "lab.host"));
	}
	assert_null(read_as("{'type':'nat'," NET "}")->error);
	assert_non_null(segment_database_bridge(&f, "lab.host"));
}

/* Options that are not known, or have no effect, are only logged. */
static void doubts(void **state)
{
	assert_null(read_as(WITH("lease-tiem", "x"))->error);
	assert_null(read_as(WITH("outside-tag", "5000"))->error);
}

static void another_name(void **state)
{
	const struct cfg_segment *s;

	read_as("{'type':'nat'," NET "}");
	segment_database_run(&f, "[{'op':'update','table':'Segment',"
				 "'where':[],'row':{'name':'lib'}}]");
	segment_database_read(&f);
	s = segment_database_get(&f, "lab");
	assert_null(s->error);
	assert_non_null(strstr(s->refused, "\"lib\""));
}

/* --- forwards --------------------------------------------------------------
 */

#define TCP "{'protocol':'tcp','outside_port':2222,"

static void forward(void **state)
{
	const struct cfg_segment *s;

	read_as("{'type':'nat'," NET ",'subnet6':'2001:db8:1::/64'}");
	segment_database_forward(&f, "lab",
				 TCP "'inside_address':'198.18.0.15'}");
	segment_database_read(&f);
	s = segment_database_get(&f, "lab");
	assert_null(s->error);
	assert_int_equal(s->n_forwards, 1);
	assert_null(s->forwards[0].error);
	assert_int_equal(s->forwards[0].version, 4);
	assert_false(s->forwards[0].udp);
	assert_int_equal(s->forwards[0].outside_lo, 2222);
	assert_int_equal(s->forwards[0].outside_hi, 2222);
	assert_int_equal(s->forwards[0].inside_port, 2222);
	assert_int_equal(s->forwards[0].outside.len, 0);
	segment_database_run(
		&f, "[{'op':'update','table':'Forward','where':[],"
		    "'row':{'protocol':'udp','outside_address':'2001:db8:9::1',"
		    "'outside_port':70,'outside_port_last':79,"
		    "'inside_address':'2001:db8:1::15','inside_port':80}}]");
	segment_database_read(&f);
	s = segment_database_get(&f, "lab");
	assert_null(s->forwards[0].error);
	assert_int_equal(s->forwards[0].version, 6);
	assert_true(s->forwards[0].udp);
	assert_int_equal(s->forwards[0].outside_hi, 79);
	assert_int_equal(s->forwards[0].inside_port, 80);
	assert_int_equal(s->forwards[0].outside.bytes[15], 1);
}

static const char *const wrong_forwards[][3] = {
	{ "'inside_address':'x'", "\"x\"", "a machine" },
	{ "'inside_address':'198.19.0.1'", "198.19.0.1", "198.18.0.1/24" },
	{ "'inside_address':'198.18.0.1'", "198.18.0.1 is not", "gateway" },
	{ "'inside_address':'198.18.0.255'", "198.18.0.255", "machine" },
	{ "'inside_address':'2001:db8:1::5'", "2001:db8:1::5", "machine" },
	{ "'inside_address':'198.18.0.5','outside_port_last':1000",
	  "outside_port_last 1000", "last port" },
	{ "'inside_address':'198.18.0.5','outside_port_last':2230,"
	  "'inside_port':65530",
	  "65530", "lower" },
	{ "'inside_address':'198.18.0.5','outside_address':'y'", "\"y\"",
	  "nothing" },
	{ "'inside_address':'198.18.0.5','outside_address':'::1'", "::1",
	  "versions" },
	{ "'inside_address':'198.18.0.5','outside_port_last':9999", "4096",
	  "smaller" },
};

static void expect_forward_error(const char *a, const char *b)
{
	const char *error;

	segment_database_read(&f);
	assert_null(segment_database_get(&f, "lab")->error);
	error = segment_database_get(&f, "lab")->forwards[0].error;
	if (!error || !strstr(error, a) || !strstr(error, b) ||
	    strchr(error, '\n'))
		fail_msg("%s %s: %s", a, b, error ? error : "no error");
}

static void forward_errors(void **state)
{
	char *row;

	segment_database_add(&f, "br-ext", NULL);
	read_as("{'type':'nat'," NET "}");
	for (size_t i = 0; i < ARRAY_SIZE(wrong_forwards); i++) {
		row = xasprintf(TCP "%s}", wrong_forwards[i][0]);
		segment_database_run(&f, "[{'op':'update','table':'Segment',"
					 "'where':[],'row':{'forwards':"
					 "['set',[]]}}]");
		segment_database_forward(&f, "lab", row);
		expect_forward_error(wrong_forwards[i][1],
				     wrong_forwards[i][2]);
		free(row);
	}
	/* An address that the outside does not have. */
	segment_database_run(&f, "[{'op':'update','table':'Forward',"
				 "'where':[],'row':{'outside_port_last':2222,"
				 "'outside_address':'198.19.0.6'}}]");
	segment_database_set(&f, "lab",
			     OUT("outside-address", "198.19.0.5/24"));
	expect_forward_error("198.19.0.6", "outside-address");
	segment_database_set(&f, "lab", "{'type':'internal'," NET "}");
	expect_forward_error("no outside", "nat");
}

/* --- leases ----------------------------------------------------------------
 */

static void leases(void **state)
{
	const struct cfg_segment *s;

	segment_database_add(&f, "lab", "{'type':'nat'," NET "}");
	segment_database_run(
		&f, "[{'op':'insert','table':'Lease','uuid-name':'a','row':{"
		    "   'address':'198.18.0.20','mac':'02:00:00:00:00:20',"
		    "   'client_id':'ff:00:10','hostname':'vm20',"
		    "   'interface':'tap1','state':'bound','expires':77}},"
		    " {'op':'insert','table':'Lease','uuid-name':'b','row':{"
		    "   'address':'x','mac':'y','state':'over'}},"
		    " {'op':'update','table':'Segment','where':[],'row':{"
		    "   'leases':['set',[['named-uuid','a'],"
		    "                    ['named-uuid','b']]]}}]");
	segment_database_read(&f);
	s = segment_database_get(&f, "lab");
	assert_int_equal(s->n_leases, 1);
	assert_int_equal(s->leases[0].lease.ip, IP4(198, 18, 0, 20));
	assert_int_equal(s->leases[0].lease.mac, 0x020000000020);
	assert_int_equal(s->leases[0].lease.state, DHCP_BOUND);
	assert_int_equal(s->leases[0].lease.client_id_len, 3);
	assert_int_equal(s->leases[0].lease.client_id[2], 0x10);
	assert_string_equal(s->leases[0].lease.hostname, "vm20");
	assert_string_equal(s->leases[0].interface, "tap1");
	assert_int_equal(s->leases[0].expires_s, 77);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nat_defaults),
		TEST(host_only_defaults),
		TEST(host_address_is_reserved),
		TEST(others_have_no_gateway),
		TEST(options),
		TEST(uplink_options),
		TEST(made_up),
		TEST(errors),
		TEST(doubts),
		TEST(another_name),
		TEST(forward),
		TEST(forward_errors),
		TEST(leases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
