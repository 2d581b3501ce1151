#include "vswd/trace_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "packet/parse.h"
#include "vswd/config.h"
#include "vswd/trace_fields.h"

enum field_kind { FIELD_NUMBER, FIELD_MAC, FIELD_IP4, FIELD_IP6 };

struct field {
	const char *name;
	enum field_id id;
	enum field_kind kind;
	size_t at; /* in struct trace_fields */
	uint64_t max;
};

#define NUMBER(NAME, ID, MEMBER, MAX)                                          \
	{                                                                      \
		NAME, ID, FIELD_NUMBER, offsetof(struct trace_fields, MEMBER), \
			MAX                                                    \
	}
#define FIELD(NAME, ID, KIND, MEMBER)                                          \
	{                                                                      \
		NAME, ID, KIND, offsetof(struct trace_fields, MEMBER), 0       \
	}

static const struct field fields[] = {
	FIELD("dl_src", F_DL_SRC, FIELD_MAC, dl_src),
	FIELD("eth_src", F_DL_SRC, FIELD_MAC, dl_src),
	FIELD("dl_dst", F_DL_DST, FIELD_MAC, dl_dst),
	FIELD("eth_dst", F_DL_DST, FIELD_MAC, dl_dst),
	NUMBER("dl_type", F_DL_TYPE, dl_type, 0xffff),
	NUMBER("eth_type", F_DL_TYPE, dl_type, 0xffff),
	NUMBER("dl_vlan", F_DL_VLAN, dl_vlan, 4095),
	NUMBER("dl_vlan_pcp", F_DL_VLAN_PCP, dl_vlan_pcp, 7),
	FIELD("nw_src", F_NW_SRC, FIELD_IP4, nw_src),
	FIELD("ip_src", F_NW_SRC, FIELD_IP4, nw_src),
	FIELD("nw_dst", F_NW_DST, FIELD_IP4, nw_dst),
	FIELD("ip_dst", F_NW_DST, FIELD_IP4, nw_dst),
	FIELD("arp_spa", F_NW_SRC, FIELD_IP4, nw_src),
	FIELD("arp_tpa", F_NW_DST, FIELD_IP4, nw_dst),
	FIELD("ipv6_src", F_NW_SRC, FIELD_IP6, nw_src),
	FIELD("ipv6_dst", F_NW_DST, FIELD_IP6, nw_dst),
	FIELD("nd_target", F_ND_TARGET, FIELD_IP6, nd_target),
	NUMBER("nw_proto", F_NW_PROTO, nw_proto, 255),
	NUMBER("ip_proto", F_NW_PROTO, nw_proto, 255),
	NUMBER("nw_tos", F_NW_TOS, nw_tos, 255),
	NUMBER("nw_ttl", F_NW_TTL, nw_ttl, 255),
	NUMBER("tp_src", F_TP_SRC, tp_src, 65535),
	NUMBER("tcp_src", F_TP_SRC, tp_src, 65535),
	NUMBER("udp_src", F_TP_SRC, tp_src, 65535),
	NUMBER("tp_dst", F_TP_DST, tp_dst, 65535),
	NUMBER("tcp_dst", F_TP_DST, tp_dst, 65535),
	NUMBER("udp_dst", F_TP_DST, tp_dst, 65535),
	NUMBER("tcp_flags", F_TCP_FLAGS, tcp_flags, 255),
	NUMBER("icmp_type", F_ICMP_TYPE, icmp_type, 255),
	NUMBER("icmp_code", F_ICMP_CODE, icmp_code, 255),
	NUMBER("arp_op", F_ARP_OP, arp_op, 65535),
	FIELD("arp_sha", F_ARP_SHA, FIELD_MAC, arp_sha),
	FIELD("arp_tha", F_ARP_THA, FIELD_MAC, arp_tha),
	NUMBER("len", F_LEN, len, TRACE_LEN_MAX),
};

/* Words alone: what they say of the ethertype and the protocol. */
static const struct {
	const char *name;
	uint16_t type;
	int proto; /* -1: any */
} protocols[] = {
	{ "ip", ETH_TYPE_IPV4, -1 },
	{ "icmp", ETH_TYPE_IPV4, IPPROTO_ICMP },
	{ "tcp", ETH_TYPE_IPV4, IPPROTO_TCP },
	{ "udp", ETH_TYPE_IPV4, IPPROTO_UDP },
	{ "ipv6", ETH_TYPE_IPV6, -1 },
	{ "icmp6", ETH_TYPE_IPV6, IPPROTO_ICMPV6 },
	{ "tcp6", ETH_TYPE_IPV6, IPPROTO_TCP },
	{ "udp6", ETH_TYPE_IPV6, IPPROTO_UDP },
	{ "arp", ETH_TYPE_ARP, -1 },
	{ "rarp", ETH_TYPE_RARP, -1 },
};

static bool parse_number(const char *text, uint64_t max, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, 0);
	return !errno && !*end && *number <= max;
}

/* "syn|ack", "+syn-ack": names of flags, as in Open vSwitch. */
static bool parse_flags(const char *text, uint64_t *flags)
{
	static const char *const names[] = { "fin", "syn", "rst", "psh",
					     "ack", "urg", "ece", "cwr" };
	bool set = true;

	*flags = 0;
	while (*text) {
		size_t n, i = 0;

		if (strchr("+-|", *text))
			set = *text++ != '-';
		n = strcspn(text, "+-|");
		while (i < ARRAY_SIZE(names) &&
		       (strlen(names[i]) != n || strncmp(names[i], text, n)))
			i++;
		if (i == ARRAY_SIZE(names))
			return false;
		if (set)
			*flags |= 1ull << i;
		text += n;
	}
	return true;
}

static int read_value(struct trace_fields *f, const struct field *field,
		      const char *value, char **errp)
{
	void *at = (char *)f + field->at;
	uint64_t number;
	unsigned version;

	switch (field->kind) {
	case FIELD_NUMBER:
		if (field->id == F_TCP_FLAGS && *value &&
		    parse_flags(value, &number))
			;
		else if (!parse_number(value, field->max, &number))
			return set_error(errp, -EINVAL,
					 "%s=%s: it must be a number from 0 "
					 "to %llu",
					 field->name, value,
					 (unsigned long long)field->max);
		memcpy(at, &number, sizeof(number));
		return 0;
	case FIELD_MAC:
		if (!mac_from_string(value, &number))
			return set_error(errp, -EINVAL,
					 "%s=%s: it must be a MAC address as "
					 "02:00:00:00:00:01",
					 field->name, value);
		memcpy(at, &number, sizeof(number));
		return 0;
	default:
		break;
	}
	version = field->kind == FIELD_IP4 ? 4 : 6;
	if (inet_pton(version == 4 ? AF_INET : AF_INET6, value, at) != 1)
		return set_error(errp, -EINVAL,
				 "%s=%s: it must be an IPv%u address",
				 field->name, value, version);
	if (f->version && f->version != version)
		return set_error(errp, -EINVAL,
				 "%s=%s is IPv%u, but another field is IPv%u",
				 field->name, value, version, f->version);
	f->version = version;
	return 0;
}

static int unknown_field(const char *name, char **errp)
{
	char hint[128];
	struct suggestion s;

	suggestion_init(&s, name);
	suggestion_offer(&s, "in_port");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		suggestion_offer(&s, fields[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		suggestion_offer(&s, protocols[i].name);
	suggestion_phrase(&s, hint, sizeof(hint));
	return set_error(errp, -EINVAL, "unknown field \"%s\"%s", name, hint);
}

static int contradiction(const char *name, char **errp)
{
	return set_error(errp, -EINVAL,
			 "%s contradicts a field or word before it: give one "
			 "of them",
			 name);
}

static int read_protocol(struct trace_fields *f, const char *name, char **errp)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (strcmp(protocols[i].name, name) != 0)
			continue;
		if ((trace_has(f, F_DL_TYPE) &&
		     f->dl_type != protocols[i].type) ||
		    (trace_has(f, F_NW_PROTO) && protocols[i].proto >= 0 &&
		     f->nw_proto != (uint64_t)protocols[i].proto))
			return contradiction(name, errp);
		f->dl_type = protocols[i].type;
		f->given |= 1ull << F_DL_TYPE;
		if (protocols[i].proto < 0)
			return 0;
		f->nw_proto = protocols[i].proto;
		f->given |= 1ull << F_NW_PROTO;
		return 0;
	}
	return unknown_field(name, errp);
}

static int read_text(char *to, size_t size, const char *name, const char *value,
		     char **errp)
{
	if (*to)
		return set_error(errp, -EINVAL, "%s=%s: there is %s=%s already",
				 name, value, name, to);
	if (!*value || strlen(value) >= size)
		return set_error(errp, -EINVAL, "%s=%s: %s", name, value,
				 *value ? "too long" : "a value is missing");
	strcpy(to, value);
	return 0;
}

static int read_field(struct trace_frame *frame, struct trace_fields *f,
		      char *word, char **errp)
{
	char *value = strchr(word, '=');
	struct trace_fields before;

	if (!value)
		return read_protocol(f, word, errp);
	*value++ = '\0';
	if (!strcmp(word, "in_port"))
		return read_text(frame->in_port, sizeof(frame->in_port), word,
				 value, errp);
	if (!strcmp(word, "tun_src"))
		return read_text(frame->tun_src, sizeof(frame->tun_src), word,
				 value, errp);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		int error;

		if (strcmp(fields[i].name, word) != 0)
			continue;
		before = *f;
		error = read_value(f, &fields[i], value, errp);
		if (error)
			return error;
		if (trace_has(f, fields[i].id) &&
		    memcmp((char *)f + fields[i].at,
			   (char *)&before + fields[i].at,
			   fields[i].kind == FIELD_IP6	 ? 16
			   : fields[i].kind == FIELD_IP4 ? 4
							 : 8) != 0)
			return contradiction(word, errp);
		f->given |= 1ull << fields[i].id;
		return 0;
	}
	return unknown_field(word, errp);
}

static int read_fields(struct trace_frame *frame, struct trace_fields *f,
		       const char *list, char **errp)
{
	char *copy = xstrdup(list), *rest = copy, *word;
	int error = 0;

	while (!error && (word = strsep(&rest, ","))) {
		word += strspn(word, " \t");
		word[strcspn(word, " \t")] = '\0';
		if (*word)
			error = read_field(frame, f, word, errp);
	}
	free(copy);
	return error;
}

/* --- hex -------------------------------------------------------------------
 */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Digits, with spaces, colons or dots between bytes. */
static bool is_hex(const char *word)
{
	size_t n = 0;

	for (; *word; word++)
		if (digit(*word) >= 0)
			n++;
		else if (!strchr(" :.-", *word))
			return false;
	return n >= 2;
}

static int read_hex(struct trace_frame *frame, const char *word, char **errp)
{
	uint32_t n = 0;

	for (; *word; word++) {
		int d = digit(*word);

		if (d < 0)
			continue;
		if (n == 2 * sizeof(frame->data))
			return set_error(errp, -EINVAL,
					 "the frame is longer than %u bytes",
					 PACKET_LEN_MAX);
		if (n % 2)
			frame->data[n / 2] |= d;
		else
			frame->data[n / 2] = d << 4;
		n++;
	}
	if (n % 2)
		return set_error(errp, -EINVAL,
				 "the frame in hex has %u digits, which are "
				 "no whole bytes",
				 n);
	frame->len = n / 2;
	return 0;
}

int trace_frame_parse(struct trace_frame *frame, unsigned n_words,
		      const char *const words[], char **errp)
{
	struct trace_fields f = { 0 };
	bool hex = false;

	memset(frame, 0, sizeof(*frame));
	for (unsigned i = 0; i < n_words; i++) {
		int error;

		if (is_hex(words[i])) {
			if (hex)
				return set_error(errp, -EINVAL,
						 "one frame at a time, not "
						 "two in hex");
			error = read_hex(frame, words[i], errp);
			hex = true;
		} else {
			error = read_fields(frame, &f, words[i], errp);
		}
		if (error)
			return error;
	}
	if (!frame->in_port[0])
		return set_error(errp, -EINVAL,
				 "in_port=PORT is missing: by which port does "
				 "the frame come in?");
	if (!hex)
		return trace_build(frame, &f, errp);
	if (f.given)
		return set_error(errp, -EINVAL,
				 "a frame in hex has its fields: give either, "
				 "not both");
	return 0;
}
