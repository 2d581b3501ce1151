/*
 * nat/...: the sessions of a segment's address translation, and ending some by
 * hand. A table may have millions: what is shown is limited, so that the
 * control thread is soon back at its work.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "packet/drop.h"
#include "vswd/commands.h"
#include "vswd/segment.h"
#include "vswd/vbond.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX     100000
#define ENDPOINT_SIZE (INET6_ADDRSTRLEN + 10)

static const char *const protocol_names[] = {
	[NAT_TCP] = "tcp",
	[NAT_UDP] = "udp",
	[NAT_ICMP] = "icmp",
};

/* --- filters --------------------------------------------------------------
 */

static bool parse_number(const char *text, unsigned max, unsigned *n)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value > max)
		return false;
	*n = value;
	return true;
}

static bool parse_address(const char *text, struct nat_addr *addr)
{
	if (inet_pton(AF_INET, text, addr->ip) == 1)
		addr->version = 4;
	else if (inet_pton(AF_INET6, text, addr->ip) == 1)
		addr->version = 6;
	return addr->version;
}

/* "10.20.0.5", "10.20.0.5:80", ":80", "fd20::5", "[fd20::5]:80" */
static bool parse_endpoint(const char *text, struct nat_addr *addr,
			   uint16_t *port)
{
	char *copy = xstrdup(text), *ip = copy, *after = NULL;
	unsigned n = 0;
	bool ok;

	if (*ip == '[') {
		after = strchr(++ip, ']');
		if (after)
			*after++ = '\0';
		ok = after && (!*after || *after == ':');
		after = ok && *after ? after : NULL;
	} else {
		after = strrchr(ip, ':');
		if (after && strchr(ip, ':') != after)
			after = NULL; /* IPv6 */
		ok = true;
	}
	if (after)
		*after++ = '\0';
	ok = ok && (!*ip ? after != NULL : parse_address(ip, addr)) &&
	     (!after || (parse_number(after, UINT16_MAX, &n) && n));
	*port = n;
	free(copy);
	return ok;
}

struct selection {
	struct segment *seg;
	struct nat *nat;
	struct nat_filter filter;
	unsigned limit; /* 0: there is none to be said */
};

static bool parse_word(struct selection *s, const char *word)
{
	struct nat_filter *f = &s->filter;

	for (unsigned i = 0; i < NAT_N_PROTOCOLS; i++)
		if (!strcmp(word, protocol_names[i])) {
			f->protocol = i;
			return true;
		}
	if (!strncmp(word, "inside=", 7))
		return parse_endpoint(word + 7, &f->inside, &f->inside_port);
	if (!strncmp(word, "outside=", 8))
		return parse_endpoint(word + 8, &f->outside, &f->outside_port);
	if (!strncmp(word, "remote=", 7))
		return parse_endpoint(word + 7, &f->remote, &f->remote_port);
	return s->limit && !strncmp(word, "limit=", 6) &&
	       parse_number(word + 6, LIMIT_MAX, &s->limit) && s->limit;
}

/* The segment whose NAT is meant; false after the reply. */
static bool find_nat(struct control_request *request, struct vswitch *vs,
		     const char *name, struct selection *s)
{
	s->seg = segment_find(vs, name);
	if (!s->seg) {
		command_fail(request, "%s: no such segment", name);
		return false;
	}
	s->nat = s->seg->nat ? segment_nat_engine(s->seg->nat) : NULL;
	if (!s->nat && s->seg->config->outside == OUTSIDE_HOST)
		command_fail(request,
			     "segment %s has no sessions of its own: its "
			     "outside is the host, whose sockets they are; use "
			     "segment/show %s, and ss(8) on the host",
			     name, name);
	else if (!s->nat)
		command_fail(request,
			     "segment %s has no address translation of its "
			     "own: only one with outside=BRIDGE has; use "
			     "segment/show %s",
			     name, name);
	return s->nat;
}

static bool parse_selection(struct control_request *request, struct vswitch *vs,
			    int argc, const char *const argv[], unsigned limit,
			    struct selection *s)
{
	memset(s, 0, sizeof(*s));
	nat_filter_all(&s->filter);
	s->limit = limit;
	if (!find_nat(request, vs, argv[1], s))
		return false;
	for (int i = 2; i < argc; i++)
		if (!parse_word(s, argv[i])) {
			command_fail(request,
				     "\"%s\" is not tcp, udp, icmp, "
				     "inside=ADDRESS[:PORT], outside=..., "
				     "remote=...%s",
				     argv[i],
				     limit ? " or limit=N (1 to 100000)" : "");
			return false;
		}
	return true;
}

/* --- nat/show -------------------------------------------------------------
 */

struct entries {
	struct nat_entry *all;
	unsigned n, limit;
	bool more;
};

static bool collect(const struct nat_entry *entry, void *aux)
{
	struct entries *e = aux;

	if (e->n == e->limit) {
		e->more = true;
		return false;
	}
	if (!(e->n & (e->n - 1)))
		e->all = xrealloc(e->all, MAX(2 * e->n, 1u) * sizeof(*e->all));
	e->all[e->n++] = *entry;
	return true;
}

static const char *format_address(const struct nat_addr *addr, char *text)
{
	return inet_ntop(addr->version == 4 ? AF_INET : AF_INET6, addr->ip,
			 text, INET6_ADDRSTRLEN);
}

static const char *format_endpoint(const struct nat_addr *addr, uint16_t port,
				   char text[ENDPOINT_SIZE])
{
	char ip[INET6_ADDRSTRLEN];

	snprintf(text, ENDPOINT_SIZE, addr->version == 4 ? "%s:%u" : "[%s]:%u",
		 format_address(addr, ip), port);
	return text;
}

/* What is odd about a session, as a word behind its state. */
static const char *remark(const struct nat_entry *e)
{
	if (e->is_static)
		return e->inbound_only ? " forward,unanswered" : " forward";
	return e->inbound_only ? " unanswered" : "";
}

static void show_text(struct control_request *request,
		      const struct entries *entries)
{
	struct text text = { 0 };
	int width = 21; /* of an IPv4 address and its port */

	for (unsigned i = 0; i < entries->n; i++)
		if (entries->all[i].inside.version == 6)
			width = 47;
	text_add(&text, "%-5s %-*s %-*s %-*s %6s %7s  %s\n", "proto", width,
		 "inside", width, "outside", width, "remote", "idle", "expires",
		 "state");
	for (unsigned i = 0; i < entries->n; i++) {
		const struct nat_entry *e = &entries->all[i];
		char inside[ENDPOINT_SIZE], outside[ENDPOINT_SIZE],
			remote[ENDPOINT_SIZE];

		text_add(&text, "%-5s %-*s %-*s %-*s %6u %7u  %s%s\n",
			 protocol_names[e->protocol], width,
			 format_endpoint(&e->inside, e->inside_port, inside),
			 width,
			 format_endpoint(&e->outside, e->outside_port, outside),
			 width,
			 format_endpoint(&e->remote, e->remote_port, remote),
			 e->idle_s, e->expires_s, e->state, remark(e));
	}
	if (entries->more)
		text_add(&text,
			 "There are more than these %u: limit=N shows up to "
			 "%d, filters choose\n",
			 entries->n, LIMIT_MAX);
	command_reply_text(request, &text);
}

static json_t *entry_to_json(const struct nat_entry *e)
{
	char inside[INET6_ADDRSTRLEN], outside[INET6_ADDRSTRLEN],
		remote[INET6_ADDRSTRLEN];

	return json_pack("{s:s, s:s, s:i, s:s, s:i, s:s, s:i, s:s, s:b, s:b, "
			 "s:i, s:i}",
			 "protocol", protocol_names[e->protocol], "inside",
			 format_address(&e->inside, inside), "inside_port",
			 (int)e->inside_port, "outside",
			 format_address(&e->outside, outside), "outside_port",
			 (int)e->outside_port, "remote",
			 format_address(&e->remote, remote), "remote_port",
			 (int)e->remote_port, "state", e->state, "forward",
			 (int)e->is_static, "unanswered", (int)e->inbound_only,
			 "idle_s", (int)e->idle_s, "expires_s",
			 (int)e->expires_s);
}

static void show_json(struct control_request *request,
		      const struct selection *s, const struct entries *entries)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < entries->n; i++)
		json_array_append_new(list, entry_to_json(&entries->all[i]));
	command_reply_json(request,
			   json_pack("{s:s, s:o, s:b}", "segment",
				     s->seg->config->name, "sessions", list,
				     "more", (int)entries->more));
}

static void cmd_show(struct control_request *request, int argc,
		     const char *const argv[], void *aux)
{
	struct entries entries = { 0 };
	struct selection s;

	if (!parse_selection(request, aux, argc, argv, LIMIT_DEFAULT, &s))
		return;
	entries.limit = s.limit;
	nat_list(s.nat, vswitch_now_ms(), &s.filter, collect, &entries);
	if (control_wants_json(request))
		show_json(request, &s, &entries);
	else
		show_text(request, &entries);
	free(entries.all);
}

/* --- nat/flush ------------------------------------------------------------
 */

static void cmd_flush(struct control_request *request, int argc,
		      const char *const argv[], void *aux)
{
	struct text text = { 0 };
	struct selection s;
	uint32_t n;

	if (!parse_selection(request, aux, argc, argv, 0, &s))
		return;
	n = nat_flush(s.nat, &s.filter);
	text_add(&text, "%u session%s ended\n", n, n == 1 ? "" : "s");
	command_reply(request, &text, json_pack("{s:i}", "ended", (int)n));
}

/* --- nat/stats ------------------------------------------------------------
 */

static json_t *drops_to_json(const struct nat_stats *s)
{
	json_t *drops = json_object();

	for (int i = 0; i < N_DROP_REASONS; i++)
		if (s->dropped[i])
			json_object_set_new(drops, drop_reason_name(i),
					    json_integer(s->dropped[i]));
	return drops;
}

static json_t *stats_to_json(const struct segment *seg, const struct nat *nat)
{
	json_t *json = json_object();
	struct nat_stats s;

	nat_get_stats(nat, &s);
	json_object_set_new(json, "segment", json_string(seg->config->name));
#define NUMBER(name) json_object_set_new(json, #name, json_integer(s.name))
	NUMBER(sessions);
	NUMBER(max_sessions);
	NUMBER(mappings);
	NUMBER(clients);
	NUMBER(quarantined);
	NUMBER(datagrams);
	NUMBER(fragments);
	NUMBER(created);
	NUMBER(ended);
	NUMBER(translated_out);
	NUMBER(translated_in);
	NUMBER(hairpinned);
	NUMBER(icmp_errors);
	NUMBER(fragments_held);
	NUMBER(fragments_expired);
#undef NUMBER
	json_object_set_new(json, "dropped", drops_to_json(&s));
	return json;
}

static void stats_text(struct text *text, const json_t *json)
{
	static const struct {
		const char *key, *name;
	} lines[] = {
		{ "mappings", "mappings" },
		{ "clients", "clients" },
		{ "quarantined", "ports at rest" },
		{ "datagrams", "fragmented datagrams followed" },
		{ "fragments", "fragments held" },
		{ "created", "sessions created" },
		{ "ended", "sessions ended" },
		{ "translated_out", "packets translated outwards" },
		{ "translated_in", "packets translated inwards" },
		{ "hairpinned", "packets turned back inside" },
		{ "icmp_errors", "ICMP errors translated" },
		{ "fragments_held", "fragments that were held" },
		{ "fragments_expired", "fragments held in vain" },
	};
	const json_t *drops = json_object_get(json, "dropped"), *n;
	const char *reason;
	char name[64];

	text_add(text, "segment %s:\n",
		 json_string_value(json_object_get(json, "segment")));
	text_add(text, "  %-32s: %lld of at most %lld\n", "sessions",
		 (long long)json_integer_value(
			 json_object_get(json, "sessions")),
		 (long long)json_integer_value(
			 json_object_get(json, "max_sessions")));
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		text_add(text, "  %-32s: %lld\n", lines[i].name,
			 (long long)json_integer_value(
				 json_object_get(json, lines[i].key)));
	json_object_foreach((json_t *)drops, reason, n) {
		snprintf(name, sizeof(name), "dropped, %s", reason);
		text_add(text, "  %-32s: %lld\n", name,
			 (long long)json_integer_value(n));
	}
}

static int compare_names(const void *a_, const void *b_)
{
	const struct segment *const *a = a_, *const *b = b_;

	return strcmp((*a)->config->name, (*b)->config->name);
}

/* Of all segments that have a NAT, by name. */
static json_t *all_stats(const struct vswitch *vs)
{
	struct segment **list = NULL, *seg;
	json_t *all = json_array();
	size_t n = 0;

	for (seg = vs->segments; seg; seg = seg->next) {
		if (!seg->nat || !segment_nat_engine(seg->nat))
			continue;
		list = xrealloc(list, (n + 1) * sizeof(seg));
		list[n++] = seg;
	}
	if (n)
		qsort(list, n, sizeof(seg), compare_names);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			all, stats_to_json(list[i],
					   segment_nat_engine(list[i]->nat)));
	free(list);
	return all;
}

static void cmd_stats(struct control_request *request, int argc,
		      const char *const argv[], void *aux)
{
	struct selection s = { 0 };
	json_t *all;

	if (argc == 1) {
		command_reply_each(request, all_stats(aux), stats_text);
		return;
	}
	if (!find_nat(request, aux, argv[1], &s))
		return;
	all = json_array();
	json_array_append_new(all, stats_to_json(s.seg, s.nat));
	command_reply_each(request, all, stats_text);
}

void commands_register_nat(struct control_server *server, struct vswitch *vs)
{
#define FILTERS                                                                \
	"segment [tcp|udp|icmp] [inside=A[:P]] [outside=A[:P]] [remote=A[:P]]"
	control_register(server, "nat/show", FILTERS " [limit=N]", 1, 6,
			 cmd_show, vs);
	control_register(server, "nat/flush", FILTERS, 1, 5, cmd_flush, vs);
#undef FILTERS
	control_register(server, "nat/stats", "[segment]", 0, 1, cmd_stats, vs);
}
