/* Options of interfaces of type "vxlan": which there are, and their values. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "vswd/config_read_overlay.h"

static const char *const known[] = {
	"arp-suppression",
	"csum",
	"df_default",
	"dst_port",
	"evpn",
	"evpn-frr-dir",
	"evpn-hold",
	"gateway",
	"group",
	"group-dev",
	"in_key",
	"key",
	"learning",
	"local_ip",
	"mtu",
	"out_key",
	"packet_type",
	"remote_ip",
	"remotes",
	"reserved-bits",
	"split-horizon",
	"tos",
	"ttl",
	"underlay",
	"underlay-tag",
	"vni-map",
};

/* Of Open vSwitch, and refused: a tunnel without them is not what was meant. */
static const struct {
	const char *key, *why;
} foreign[] = {
	{ "egress_pkt_mark",
	  "outer packets bear no mark for the host's routing; remove it, and "
	  "give another local_ip, or an underlay" },
	{ "exts",
	  "extensions of VXLAN (gbp, gpe) are not supported; remove it" },
	{ "psk", "tunnels are not encrypted; encrypt the underlay, and remove "
		 "it" },
	{ "remote_cert",
	  "tunnels are not encrypted; encrypt the underlay, and remove it" },
	{ "remote_name",
	  "tunnels are not encrypted; encrypt the underlay, and remove it" },
};

void overlay_refuse(struct cfg_overlay *overlay, const char *fmt, ...)
{
	va_list args;

	if (overlay->error)
		return;
	va_start(args, fmt);
	if (vasprintf(&overlay->error, fmt, args) < 0)
		abort();
	va_end(args);
}

const char *overlay_option(const struct overlay_reader *r, const char *key)
{
	return cfg_interface_option(r->interface, key);
}

void overlay_refuse_option(const struct overlay_reader *r, const char *key,
			   const char *must_be)
{
	overlay_refuse(r->overlay, "options:%s is \"%s\"; it must be %s", key,
		       overlay_option(r, key), must_be);
}

/* --- keys ------------------------------------------------------------------
 */

static void refuse_unknown(struct cfg_overlay *overlay, const char *key)
{
	struct suggestion near;
	char hint[128];

	suggestion_init(&near, key);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		suggestion_offer(&near, known[i]);
	overlay_refuse(overlay,
		       "options:%s is no option of interfaces of type vxlan%s",
		       key, suggestion_phrase(&near, hint, sizeof(hint)));
}

static void check_key(struct cfg_overlay *overlay, const char *key,
		      const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i], key))
			return;
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		if (strcmp(foreign[i].key, key) != 0)
			continue;
		overlay_refuse(overlay, "options:%s is \"%s\", but %s", key,
			       value, foreign[i].why);
		return;
	}
	refuse_unknown(overlay, key);
}

void overlay_check_keys(const struct overlay_reader *r)
{
	const char *type = overlay_option(r, "packet_type");

	for (size_t i = 0; i < r->interface->n_options; i++)
		check_key(r->overlay, r->interface->options[i].key,
			  r->interface->options[i].value);
	if (type && strcmp(type, "legacy_l2") != 0)
		overlay_refuse_option(r, "packet_type",
				      "legacy_l2: a VXLAN port carries "
				      "Ethernet frames");
}

/* --- values ----------------------------------------------------------------
 */

bool overlay_boolean(const struct overlay_reader *r, const char *key,
		     bool fallback)
{
	const char *text = overlay_option(r, key);

	if (!text)
		return fallback;
	if (!strcasecmp(text, "true"))
		return true;
	if (strcasecmp(text, "false") != 0)
		overlay_refuse_option(r, key, "true or false");
	return false;
}

/*
 * Open vSwitch takes octal ones, too, which nobody means: a number with a 0
 * before it is none here.
 */
bool overlay_parse_number(const char *text, uint32_t min, uint32_t max,
			  uint32_t *number)
{
	bool hex = !strncasecmp(text, "0x", 2);
	unsigned long long value;
	uint64_t decimal;
	char *end;

	if (!hex) {
		if ((text[0] == '0' && text[1]) ||
		    !net_text_number(text, min, max, &decimal))
			return false;
		*number = decimal;
		return true;
	}
	if (!text[2] ||
	    strspn(text + 2, "0123456789abcdefABCDEF") != strlen(text + 2))
		return false;
	errno = 0;
	value = strtoull(text + 2, &end, 16);
	if (errno || value < min || value > max)
		return false;
	*number = value;
	return true;
}

uint32_t overlay_number(const struct overlay_reader *r, const char *key,
			uint32_t min, uint32_t max, uint32_t fallback)
{
	const char *text = overlay_option(r, key);
	uint32_t number;

	if (!text)
		return fallback;
	if (overlay_parse_number(text, min, max, &number))
		return number;
	overlay_refuse(r->overlay,
		       "options:%s is \"%s\"; it must be a number from %u to "
		       "%u",
		       key, text, min, max);
	return fallback;
}

/* --- addresses -------------------------------------------------------------
 */

bool overlay_ip_is_multicast(const struct ip_address *ip)
{
	return ip->len == 4 ? ip->bytes[0] >> 4 == 0xe : ip->bytes[0] == 0xff;
}

/* Loopback addresses are fine: two switches of one host can have them. */
static bool is_of_a_machine(const struct ip_address *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t none[16];

	if (ip->len == 4)
		return ip->bytes[0] && ip->bytes[0] < 0xf0;
	return memcmp(ip->bytes, none, 16) && memcmp(ip->bytes, mapped, 12);
}

static bool is_link_local(const struct ip_address *ip)
{
	return ip->len == 16 && ip->bytes[0] == 0xfe &&
	       (ip->bytes[1] & 0xc0) == 0x80;
}

const char *overlay_ip_fault(const struct ip_address *ip)
{
	if (overlay_ip_is_multicast(ip))
		return "a multicast address; groups of VTEPs are set by "
		       "options:group, with remote_ip=flow";
	if (!is_of_a_machine(ip))
		return "which no machine has as its address";
	if (is_link_local(ip))
		return "a link-local address, which does not say by which "
		       "link; use a global or unique local one";
	return NULL;
}

bool overlay_address(struct overlay_reader *r, const char *key,
		     const char *text, const char *must_be,
		     struct ip_address *ip)
{
	const char *why;

	*ip = (struct ip_address){ 0 };
	if (!net_text_ip(text, ip)) {
		*ip = (struct ip_address){ 0 };
		overlay_refuse(r->overlay,
			       "options:%s has \"%s\"; it must be %s", key,
			       text, must_be);
		return false;
	}
	why = overlay_ip_fault(ip);
	if (!why)
		return true;
	overlay_refuse(r->overlay, "options:%s has %s, %s", key,
		       ip_text(ip).text, why);
	*ip = (struct ip_address){ 0 };
	return false;
}

void overlay_same_version(struct overlay_reader *r, const char *key,
			  const struct ip_address *ip)
{
	unsigned version = ip->len == 4 ? 4 : 6;

	if (!ip->len)
		return;
	if (!r->version_by) {
		r->version_by = key;
		r->overlay->ip_version = version;
	} else if (r->overlay->ip_version != version) {
		overlay_refuse(r->overlay,
			       "options:%s has %s of IPv%u, and %s has an "
			       "address of IPv%u; a VXLAN port has one of "
			       "them: make a port for each",
			       key, ip_text(ip).text, version, r->version_by,
			       r->overlay->ip_version);
	}
}
