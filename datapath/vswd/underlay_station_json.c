/* An underlay's station for people: vtep/show. */
#include <stdlib.h>

#include "vswd/underlay_station.h"
#include "vswd/vbond.h"

#define HOPS_MAX 64 /* that are shown one by one */

static json_t *hop_to_json(const struct underlay_hop *h)
{
	char text[IP_TEXT_SIZE], mac[MAC_STRING_SIZE];
	json_t *json = json_pack("{s:s, s:s, s:I}", "ip",
				 segment_ip_format(&h->ip, text), "state",
				 h->mac	     ? "resolved"
				 : h->failed ? "failed"
					     : "asking",
				 "remotes", (json_int_t)h->n_targets);

	if (h->mac)
		json_object_set_new(json, "mac",
				    json_string(mac_format(h->mac, mac)));
	return json;
}

/* Those that do not work come first: there may be thousands. */
static json_t *hops_to_json(const struct underlay_station *s)
{
	json_t *all = json_array();

	for (int ok = 0; ok < 2; ok++)
		for (const struct underlay_hop *h = s->hop_list; h; h = h->next)
			if (!!h->mac == ok && json_array_size(all) < HOPS_MAX)
				json_array_append_new(all, hop_to_json(h));
	return all;
}

/* Type and code in words, where they are common. */
static const char *unreachable_name(const struct underlay_target *t)
{
	static const char *const names4[] = { "network", "host", "protocol",
					      "port" };
	static const char *const names6[] = { "no route", "prohibited", "scope",
					      "address", "port" };

	if (t->ip.len == 4)
		return t->unreachable_code < ARRAY_SIZE(names4)
			       ? names4[t->unreachable_code]
			       : "other";
	return t->unreachable_code < ARRAY_SIZE(names6)
		       ? names6[t->unreachable_code]
		       : "other";
}

static json_t *path_to_json(const struct underlay_target *t, uint64_t now_ms)
{
	char text[IP_TEXT_SIZE];
	json_t *json =
		json_pack("{s:s}", "ip", segment_ip_format(&t->ip, text));

	if (t->path_mtu)
		json_object_set_new(json, "mtu", json_integer(t->path_mtu));
	if (!t->unreachable_ms)
		return json;
	json_object_set_new(json, "unreachable",
			    json_string(unreachable_name(t)));
	json_object_set_new(
		json, "unreachable_s_ago",
		json_integer((json_int_t)(now_ms - t->unreachable_ms) / 1000));
	return json;
}

static json_t *paths_to_json(const struct underlay_station *s)
{
	uint64_t now_ms = vswitch_now_ms();
	json_t *all = json_array();

	for (const struct underlay_target *t = s->target_list; t; t = t->next)
		if ((t->path_mtu || t->unreachable_ms) &&
		    json_array_size(all) < HOPS_MAX)
			json_array_append_new(all, path_to_json(t, now_ms));
	return all;
}

/* Somebody set it, or a control plane told of it. */
static bool is_told(const struct underlay_target *t)
{
	for (const struct underlay_want *w = t->wants; w; w = w->next)
		if (w->r->origins & ~(unsigned)VTEP_LEARNED)
			return true;
	return false;
}

/* Strangers, who can be learned, do not make an error of others' ports. */
static const struct underlay_target *without_way(
	const struct underlay_station *s)
{
	const struct underlay_target *t = s->target_list;

	while (t && (t->hop || ip_address_is_group(&t->ip) || !is_told(t)))
		t = t->next;
	return t;
}

const char *underlay_station_error(const struct underlay_station *s_)
{
	struct underlay_station *s = (struct underlay_station *)s_;
	const struct underlay_target *t = without_way(s);
	char ip[IP_TEXT_SIZE], local[IP_TEXT_SIZE];

	if (s->conflict)
		return s->conflict;
	if (!t)
		return NULL;
	free(s->error);
	s->error = xasprintf(
		"there is no way to remote VTEP %s: it is not in the network "
		"of %s/%u, and options:gateway names no gateway of its kind",
		segment_ip_format(&t->ip, ip),
		segment_ip_format(&s->local, local), s->prefix_len);
	return s->error;
}

static void count_hops(const struct underlay_station *s, json_int_t n[2])
{
	n[0] = n[1] = 0;
	for (const struct underlay_hop *h = s->hop_list; h; h = h->next)
		n[!!h->mac]++;
}

json_t *underlay_station_to_json(const struct underlay_station *s)
{
	const struct membership_counters *m =
		membership_counters(s->membership);
	const char *error = underlay_station_error(s);
	char text[IP_TEXT_SIZE], mac[MAC_STRING_SIZE];
	uint64_t now_ms = vswitch_now_ms();
	json_int_t n[2];
	json_t *json;

	count_hops(s, n);
	json = json_pack(
		"{s:o, s:s, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:i}",
		"address",
		json_sprintf("%s/%u", segment_ip_format(&s->local, text),
			     s->prefix_len),
		"mac", mac_format(s->mac, mac), "mtu", (json_int_t)s->mtu,
		"hops_resolved", n[1], "hops_unresolved", n[0], "hops",
		hops_to_json(s), "paths", paths_to_json(s), "icmp_accepted",
		(json_int_t)s->icmp_accepted, "icmp_refused",
		(json_int_t)s->icmp_refused, "membership_queries",
		(json_int_t)m->queries, "membership_reports",
		(json_int_t)m->reports,
		s->local.len == 4 ? "igmp_version" : "mld_version",
		(int)membership_version(s->membership, s->local.len == 16,
					now_ms));
	if (s->gateway.len)
		json_object_set_new(
			json, "gateway",
			json_string(segment_ip_format(&s->gateway, text)));
	if (error)
		json_object_set_new(json, "error", json_string(error));
	return json;
}
