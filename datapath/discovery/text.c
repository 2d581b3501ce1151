#include "discovery/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/*
 * The length of the UTF-8 character at s (RFC 3629), and which it is; 0 when it
 * is none: too long a form, a surrogate, beyond the last, cut short.
 */
static unsigned decode_utf8(const uint8_t *s, size_t n, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned len = s[0] < 0x80    ? 1
		       : s[0] < 0xc2  ? 0
		       : s[0] < 0xe0  ? 2
		       : s[0] < 0xf0  ? 3
		       : s[0] <= 0xf4 ? 4
				      : 0;

	if (!len || len > n)
		return 0;
	*c = len == 1 ? s[0] : s[0] & (0x7f >> len);
	for (unsigned i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (*c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
		return 0;
	return len;
}

/* What moves a cursor, or makes a line look like another. */
static bool is_harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff0 && c <= 0xffff) || c == 0x061c ||
	       (c >= 0xe0000 && c <= 0xe0fff);
}

static bool is_break(uint8_t c)
{
	return c == '\n' || c == '\r' || c == '\t';
}

void text_clean(char *to, size_t size, const void *from, size_t n)
{
	const uint8_t *s = from, *end = s + n;
	bool broken = false; /* the line, just before */
	size_t at = 0;

	for (unsigned len; s < end && *s; s += MAX(len, 1u)) {
		uint32_t c = 0;

		len = decode_utf8(s, end - s, &c);
		if (at + MAX(len, 1u) >= size)
			break;
		if (is_break(*s)) {
			if (!broken)
				to[at++] = ' ';
			broken = true;
			continue;
		}
		broken = false;
		if (!len || is_harmful(c)) {
			to[at++] = '?';
		} else {
			memcpy(to + at, s, len);
			at += len;
		}
	}
	to[at] = '\0';
	while (at && to[at - 1] == ' ')
		to[--at] = '\0';
}

/* --- identifiers ---------------------------------------------------------- */

static const char *bytes_format(const uint8_t *bytes, unsigned len,
				char separator, char buf[DISCOVERY_NAME_SIZE])
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < len && at + 8 < DISCOVERY_NAME_SIZE; i++)
		at += snprintf(buf + at, DISCOVERY_NAME_SIZE - at, "%s%02x",
			       i ? (char[]){ separator, '\0' } : "", bytes[i]);
	return buf;
}

static const char *family_format(uint8_t family, const uint8_t *bytes,
				 unsigned len, char buf[DISCOVERY_NAME_SIZE])
{
	if (family == FAMILY_IPV4 && len == 4)
		return inet_ntop(AF_INET, bytes, buf, DISCOVERY_NAME_SIZE);
	if (family == FAMILY_IPV6 && len == 16)
		return inet_ntop(AF_INET6, bytes, buf, DISCOVERY_NAME_SIZE);
	return bytes_format(bytes, len, ':', buf);
}

/* Text if it is any, that is without a change; else bytes. */
static const char *name_format(const struct discovery_id *id,
			       char buf[DISCOVERY_NAME_SIZE])
{
	size_t n = id->len;

	while (n && !id->bytes[n - 1]) /* filled up */
		n--;
	text_clean(buf, DISCOVERY_NAME_SIZE, id->bytes, n);
	if (n && strlen(buf) == n && !memcmp(buf, id->bytes, n))
		return buf;
	return bytes_format(id->bytes, id->len, ':', buf);
}

static const char *id_format(const struct discovery_id *id, uint8_t mac,
			     uint8_t network, char buf[DISCOVERY_NAME_SIZE])
{
	if (id->subtype == mac && id->len == 6)
		return bytes_format(id->bytes, 6, ':', buf);
	if (id->subtype == network && id->len > 1)
		return family_format(id->bytes[0], id->bytes + 1, id->len - 1,
				     buf);
	return name_format(id, buf);
}

const char *chassis_format(const struct discovery_id *id,
			   char buf[DISCOVERY_NAME_SIZE])
{
	return id_format(id, CHASSIS_MAC, CHASSIS_NETWORK_ADDRESS, buf);
}

const char *port_id_format(const struct discovery_id *id,
			   char buf[DISCOVERY_NAME_SIZE])
{
	return id_format(id, PORT_ID_MAC, PORT_ID_NETWORK_ADDRESS, buf);
}

const char *address_format(const struct discovery_address *address,
			   char buf[DISCOVERY_NAME_SIZE])
{
	return family_format(address->family, address->bytes, address->len,
			     buf);
}

/* --- words ---------------------------------------------------------------- */

const char *chassis_subtype_name(uint8_t subtype)
{
	static const char *const names[] = { "reserved", "chassis", "ifalias",
					     "port",	 "mac",	    "ip",
					     "ifname",	 "local" };

	return subtype < ARRAY_SIZE(names) ? names[subtype] : "reserved";
}

const char *port_id_subtype_name(uint8_t subtype)
{
	static const char *const names[] = { "reserved", "ifalias", "port",
					     "mac",	 "ip",	    "ifname",
					     "agent",	 "local" };

	return subtype < ARRAY_SIZE(names) ? names[subtype] : "reserved";
}

const char *address_family_name(uint8_t family)
{
	return family == FAMILY_IPV4   ? "ipv4"
	       : family == FAMILY_IPV6 ? "ipv6"
	       : family == FAMILY_MAC  ? "mac"
				       : "other";
}

const char *capability_name(unsigned bit)
{
	static const char *const names[] = {
		"other",  "repeater",  "bridge", "wlan-ap",
		"router", "telephone", "docsis", "station",
		"c-vlan", "s-vlan",    "tpmr",
	};

	return bit < ARRAY_SIZE(names) ? names[bit] : NULL;
}

const char *cdp_capability_name(unsigned bit)
{
	static const char *const names[] = {
		"router",
		"transparent-bridge",
		"source-route-bridge",
		"switch",
		"host",
		"igmp",
		"repeater",
		"telephone",
		"remotely-managed",
		"cvta",
		"two-port-relay",
	};

	return bit < ARRAY_SIZE(names) ? names[bit] : NULL;
}

const char *mau_type_name(uint16_t type)
{
	static const char *const names[] = {
		[5] = "10BaseT",       [10] = "10BaseTHD",
		[11] = "10BaseTFD",    [15] = "100BaseTXHD",
		[16] = "100BaseTXFD",  [17] = "100BaseFXHD",
		[18] = "100BaseFXFD",  [21] = "1000BaseXHD",
		[22] = "1000BaseXFD",  [23] = "1000BaseLXHD",
		[24] = "1000BaseLXFD", [25] = "1000BaseSXHD",
		[26] = "1000BaseSXFD", [27] = "1000BaseCXHD",
		[28] = "1000BaseCXFD", [29] = "1000BaseTHD",
		[30] = "1000BaseTFD",  [31] = "10GigBaseX",
		[32] = "10GigBaseLX4", [33] = "10GigBaseR",
		[34] = "10GigBaseER",  [35] = "10GigBaseLR",
		[36] = "10GigBaseSR",  [37] = "10GigBaseW",
		[41] = "10GigBaseCX4", [54] = "10GigBaseT",
		[55] = "10GigBaseLRM", [56] = "1000BaseKX",
		[57] = "10GigBaseKX4", [58] = "10GigBaseKR",
	};

	return type < ARRAY_SIZE(names) ? names[type] : NULL;
}
