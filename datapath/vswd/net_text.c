#include "vswd/net_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool net_text_ip4(const char *text, uint32_t *ip)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1)
		return false;
	*ip = ntohl(in.s_addr);
	return true;
}

bool net_text_ip6(const char *text, uint8_t ip[16])
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET6, text, bytes) != 1)
		return false;
	memcpy(ip, bytes, 16);
	return true;
}

bool net_text_ip(const char *text, struct ip_address *ip)
{
	uint8_t bytes[16];
	uint32_t ip4;

	if (net_text_ip4(text, &ip4))
		*ip = ip_address_v4(ip4);
	else if (net_text_ip6(text, bytes))
		*ip = ip_address_of(bytes, 16);
	else
		return false;
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

/* "ADDRESS/LENGTH" apart, the address into buf; NULL: it is not that. */
static const char *cut_prefix(const char *text, char buf[INET6_ADDRSTRLEN])
{
	const char *slash = strchr(text, '/');

	if (!slash || slash - text >= INET6_ADDRSTRLEN)
		return NULL;
	memcpy(buf, text, slash - text);
	buf[slash - text] = '\0';
	return slash + 1;
}

bool net_text_prefix4(const char *text, uint32_t *ip, uint8_t *len)
{
	char address[INET6_ADDRSTRLEN];
	const char *rest = cut_prefix(text, address);
	uint64_t number;

	if (!rest || !net_text_number(rest, 0, 32, &number) ||
	    !net_text_ip4(address, ip))
		return false;
	*len = number;
	return true;
}

bool net_text_prefix6(const char *text, uint8_t ip[16], uint8_t *len)
{
	char address[INET6_ADDRSTRLEN];
	const char *rest = cut_prefix(text, address);
	uint64_t number;

	if (!rest || !net_text_number(rest, 0, 128, &number) ||
	    !net_text_ip6(address, ip))
		return false;
	*len = number;
	return true;
}

bool net_text_range4(const char *text, uint32_t *first, uint32_t *last)
{
	const char *dash = strchr(text, '-');
	char address[INET_ADDRSTRLEN];
	uint32_t a, b;

	if (!dash) {
		if (!net_text_ip4(text, first))
			return false;
		*last = *first;
		return true;
	}
	if (dash - text >= INET_ADDRSTRLEN)
		return false;
	memcpy(address, text, dash - text);
	address[dash - text] = '\0';
	if (!net_text_ip4(address, &a) || !net_text_ip4(dash + 1, &b) || a > b)
		return false;
	*first = a;
	*last = b;
	return true;
}

bool net_text_is_label(const char *text)
{
	size_t n = strlen(text);

	if (!n || n > 63 || text[0] == '-' || text[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-')
			return false;
	return true;
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
