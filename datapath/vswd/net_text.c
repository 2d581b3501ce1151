#include "vswd/net_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/net_text.h"
#include "packet/packet.h"

bool net_text_ip4(const char *text, uint32_t *ip)
{
	struct net_addr addr;

	if (!net_addr_parse(&addr, text, 4))
		return false;
	*ip = load_be32(addr.bytes);
	return true;
}

bool net_text_ip6(const char *text, uint8_t ip[16])
{
	struct net_addr addr;

	if (!net_addr_parse(&addr, text, 6))
		return false;
	memcpy(ip, addr.bytes, 16);
	return true;
}

bool net_text_ip(const char *text, struct ip_address *ip)
{
	struct net_addr addr;

	if (!net_addr_parse(&addr, text, 0))
		return false;
	*ip = ip_address_of(addr.bytes, addr.version == 4 ? 4 : 16);
	return true;
}

bool net_text_number(const char *text, uint64_t min, uint64_t max,
		     uint64_t *number)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value < min || value > max)
		return false;
	*number = value;
	return true;
}

bool net_text_prefix4(const char *text, uint32_t *ip, uint8_t *len)
{
	struct net_prefix prefix;

	if (!net_prefix_parse(&prefix, text, 4))
		return false;
	*ip = load_be32(prefix.addr.bytes);
	*len = prefix.len;
	return true;
}

bool net_text_prefix6(const char *text, uint8_t ip[16], uint8_t *len)
{
	struct net_prefix prefix;

	if (!net_prefix_parse(&prefix, text, 6))
		return false;
	memcpy(ip, prefix.addr.bytes, 16);
	*len = prefix.len;
	return true;
}

bool net_text_range4(const char *text, uint32_t *first, uint32_t *last)
{
	struct net_range range;

	if (!net_range_parse(&range, text, 4))
		return false;
	*first = load_be32(range.first.bytes);
	*last = load_be32(range.last.bytes);
	return true;
}

bool net_text_is_label(const char *text)
{
	return net_is_label(text, strlen(text));
}

bool ip4_is_unicast(uint32_t ip)
{
	uint8_t first = ip >> 24;

	return first && first != 127 && first < 224;
}

bool ip6_is_unicast(const uint8_t ip[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t none[15];

	return ip[0] != 0xff && (ip[0] != 0xfe || ip[1] < 0x80) &&
	       memcmp(ip, mapped, 12) && memcmp(ip, none, 15);
}

void text_list_init(struct text_list *list, const char *text)
{
	list->copy = xstrdup(text);
	list->rest = text[0] ? list->copy : NULL;
}

char *text_list_next(struct text_list *list)
{
	char *item = strsep(&list->rest, ","), *end;

	if (!item)
		return NULL;
	while (isspace((unsigned char)*item))
		item++;
	end = item + strlen(item);
	while (end > item && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return item;
}

void text_list_fini(struct text_list *list)
{
	free(list->copy);
}

struct ip_text ip4_text(uint32_t ip)
{
	struct in_addr in = { .s_addr = htonl(ip) };
	struct ip_text t;

	inet_ntop(AF_INET, &in, t.text, sizeof(t.text));
	return t;
}

struct ip_text ip6_text(const uint8_t ip[16])
{
	struct ip_text t;

	inet_ntop(AF_INET6, ip, t.text, sizeof(t.text));
	return t;
}

struct ip_text ip_text(const struct ip_address *ip)
{
	return ip->len == 4 ? ip4_text(ip_address_to_v4(ip))
			    : ip6_text(ip->bytes);
}
