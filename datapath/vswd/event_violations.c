/*
 * Violations of ports' policies as events: at most one a second of a port and
 * reason, with the frames that were dropped since the one before; of a storm
 * one when it begins and one when it is over. Records of frames say who it was
 * (PUNT_VIOLATION); how many there were is what the port's counters say.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "base/log.h"
#include "packet/parse.h"
#include "vswd/event_sources.h"
#include "vswd/events.h"
#include "vswd/net_text.h"

LOG_MODULE(events);

#define PAUSE_MS 1000 /* between events; without drops: a storm is over */
#define ARP_LEN	 28   /* RFC 826, of Ethernet and IPv4 */

/* Of a port and reason. */
struct violation {
	uint64_t noted;	  /* drops that were told of */
	uint64_t seen;	  /* drops at the last look */
	uint64_t told_ms; /* the last event; 0: none yet */
	uint64_t seen_ms; /* when drops were last found to have grown */
	bool storming;
	json_t *fields; /* of the frame seen last, or NULL */
	char *who;	/* the same for people */
};

struct violations {
	struct violation of[N_DROP_REASONS];
};

static int storm_kind(enum drop_reason reason)
{
	switch (reason) {
	case DROP_STORM_BROADCAST:
		return STORM_BROADCAST;
	case DROP_STORM_MULTICAST:
		return STORM_MULTICAST;
	case DROP_STORM_UNKNOWN:
		return STORM_UNKNOWN;
	default:
		return -1;
	}
}

/* --- who it was ------------------------------------------------------------
 */

static char *add_who(char *who, json_t *fields, const char *key,
		     const char *value)
{
	char *longer = xasprintf("%s, %s %s", who, key, value);

	json_object_set_new(fields, key, json_string(value));
	free(who);
	return longer;
}

static char *add_arp(char *who, json_t *fields, const struct punt_record *r,
		     unsigned at)
{
	char mac[MAC_STRING_SIZE];

	if (r->len < at + ARP_LEN || load_be32(r->data + at) != 0x00010800 ||
	    load_be16(r->data + at + 4) != 0x0604)
		return who;
	mac_format(load_mac(r->data + at + 8), mac);
	who = add_who(who, fields, "arp_sha", mac);
	who = add_who(who, fields, "arp_spa",
		      ip4_text(load_be32(r->data + at + 14)).text);
	return add_who(who, fields, "arp_tpa",
		       ip4_text(load_be32(r->data + at + 24)).text);
}

static char *add_ports(char *who, json_t *fields, const struct flow_key *key,
		       const struct punt_record *r)
{
	char number[8];
	bool is_nd = key->ip_version == 6 && key->l4 &&
		     key->ip_proto == IPPROTO_ICMPV6 && r->len > key->l4 &&
		     (r->data[key->l4] == 135 || r->data[key->l4] == 136);

	if (is_nd && r->len >= key->l4 + 24)
		return add_who(who, fields, "nd_target",
			       ip6_text(r->data + key->l4 + 8).text);
	if (!key->has_ports || key->ip_proto == IPPROTO_ICMP ||
	    key->ip_proto == IPPROTO_ICMPV6)
		return who;
	json_object_set_new(fields, "nw_proto", json_integer(key->ip_proto));
	snprintf(number, sizeof(number), "%u", key->dst_port);
	who = add_who(who, fields, "tp_dst", number);
	json_object_set_new(fields, "tp_dst", json_integer(key->dst_port));
	return who;
}

static char *add_addresses(char *who, json_t *fields,
			   const struct punt_record *r)
{
	struct flow_key key;
	const char *src, *dst;

	if (!flow_parse(r->data, r->len, &key))
		return who;
	if (key.ethertype == ETH_TYPE_ARP)
		return add_arp(who, fields, r,
			       ETH_HEADER_LEN + key.n_tags * VLAN_TAG_LEN);
	if (!key.ip_version)
		return who;
	src = key.ip_version == 4 ? "nw_src" : "ipv6_src";
	dst = key.ip_version == 4 ? "nw_dst" : "ipv6_dst";
	if (key.ip_version == 4) {
		who = add_who(who, fields, src,
			      ip4_text(load_be32(key.src_ip)).text);
		who = add_who(who, fields, dst,
			      ip4_text(load_be32(key.dst_ip)).text);
	} else {
		who = add_who(who, fields, src, ip6_text(key.src_ip).text);
		who = add_who(who, fields, dst, ip6_text(key.dst_ip).text);
	}
	return add_ports(who, fields, &key, r);
}

static void remember(struct violation *s, const struct vport *v,
		     const struct punt_record *r)
{
	char from[MAC_STRING_SIZE], to[MAC_STRING_SIZE];

	mac_format(load_mac(r->data + 6), from);
	mac_format(load_mac(r->data), to);
	json_decref(s->fields);
	free(s->who);
	s->fields = json_pack("{s:s, s:s, s:s, s:i, s:s}", "reason",
			      drop_reason_name(r->note), "dl_src", from,
			      "dl_dst", to, "vlan", (int)r->vid, "interface",
			      v->interface->name);
	s->who = xasprintf("from %s to %s in VLAN %u", from, to, r->vid);
	s->who = add_addresses(s->who, s->fields, r);
}

/* --- events ----------------------------------------------------------------
 */

/* A bond's own drops are counted at the bond. */
static uint64_t drops_of(const struct vport *v, enum drop_reason reason)
{
	struct port *port = v->port;
	struct port_counters c = { 0 };

	if (v->bond && v->bond->port && reason == DROP_ACL_OUT)
		port = v->bond->port;
	if (port)
		port_get_counters(port, &c);
	return c.drops[reason];
}

/* Drops since the last that were told of; they are told now. */
static uint64_t take_count(struct violation *s, uint64_t drops)
{
	/* The port may be another one by now. */
	uint64_t n = drops >= s->noted ? drops - s->noted : drops;

	s->noted = drops;
	return n;
}

static void tell(const struct vport *v, struct violation *s,
		 enum drop_reason reason, uint64_t now_ms)
{
	uint64_t n = take_count(s, s->seen);
	json_t *fields = json_copy(s->fields);

	s->told_ms = now_ms;
	json_object_set_new(fields, "count", json_integer((json_int_t)n));
	log_warn_limited("bridge %s: port %s: %s %s: %s", v->bridge->name,
			 v->config->name, drop_reason_name(reason), s->who,
			 drop_reason_help(reason));
	events_note(v->vs->log, EVENT_VIOLATION, v->bridge->name,
		    v->config->name, fields, "%s: %s (%s); %llu dropped",
		    drop_reason_name(reason), drop_reason_help(reason), s->who,
		    (unsigned long long)n);
}

static void tell_storm(const struct vport *v, struct violation *s,
		       enum drop_reason reason, bool begins)
{
	uint32_t limit = v->config->storm.rate_pps[storm_kind(reason)];
	json_t *fields = json_copy(s->fields);
	const char *name = drop_reason_name(reason);
	uint64_t n;

	s->storming = begins;
	json_object_set_new(fields, "begins", json_boolean(begins));
	json_object_set_new(fields, "limit", json_integer(limit));
	if (begins) {
		log_warn_limited("bridge %s: port %s: %s %s: %s",
				 v->bridge->name, v->config->name, name, s->who,
				 drop_reason_help(reason));
		events_note(v->vs->log, EVENT_STORM, v->bridge->name,
			    v->config->name, fields,
			    "%s begins: more than %u frames/s (%s)", name,
			    limit, s->who);
		return;
	}
	n = take_count(s, s->seen);
	json_object_set_new(fields, "count", json_integer((json_int_t)n));
	events_note(v->vs->log, EVENT_STORM, v->bridge->name, v->config->name,
		    fields, "%s is over: %llu dropped", name,
		    (unsigned long long)n);
}

static void look(const struct vport *v, struct violation *s,
		 enum drop_reason reason, uint64_t now_ms)
{
	uint64_t drops = drops_of(v, reason);

	if (drops != s->seen)
		s->seen_ms = now_ms;
	s->seen = drops;
	if (storm_kind(reason) >= 0) {
		if (s->storming && now_ms - s->seen_ms >= PAUSE_MS)
			tell_storm(v, s, reason, false);
	} else if (drops != s->noted &&
		   (!s->told_ms || now_ms - s->told_ms >= PAUSE_MS)) {
		tell(v, s, reason, now_ms);
	}
}

void event_violation(struct vport *v, const struct punt_record *r)
{
	uint64_t now_ms = vswitch_now_ms();
	struct violation *s;

	if (r->len < ETH_HEADER_LEN || r->note >= N_DROP_REASONS)
		return;
	if (!v->violations)
		v->violations = xcalloc(1, sizeof(*v->violations));
	s = &v->violations->of[r->note];
	remember(s, v, r);
	look(v, s, r->note, now_ms);
	/* A record that was read late is of a storm that is over. */
	if (storm_kind(r->note) >= 0 && !s->storming && s->seen != s->noted)
		tell_storm(v, s, r->note, true);
}

void event_look_at_violations(struct vport *v)
{
	uint64_t now_ms = vswitch_now_ms();

	for (unsigned i = 0; v->violations && i < N_DROP_REASONS; i++)
		if (v->violations->of[i].fields)
			look(v, &v->violations->of[i], i, now_ms);
}

void event_forget_violations(struct vport *v)
{
	for (unsigned i = 0; v->violations && i < N_DROP_REASONS; i++) {
		json_decref(v->violations->of[i].fields);
		free(v->violations->of[i].who);
	}
	free(v->violations);
	v->violations = NULL;
}
