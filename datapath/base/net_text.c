/* Addresses, networks and ranges from and to text (net_text.h). */
#include "base/net_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 63

static unsigned bits_of(unsigned version)
{
	return version == 4 ? 32 : 128;
}

bool net_addr_parse(struct net_addr *addr, const char *text, unsigned version)
{
	*addr = (struct net_addr){ .version = strchr(text, ':') ? 6 : 4 };
	return (!version || version == addr->version) &&
	       inet_pton(addr->version == 4 ? AF_INET : AF_INET6, text,
			 addr->bytes) == 1;
}

/* A number of digits only, without signs and spaces. */
static bool parse_length(const char *text, unsigned max, unsigned *len)
{
	char *end;

	if (!isdigit((unsigned char)*text) || strlen(text) > 3)
		return false;
	*len = (unsigned)strtoul(text, &end, 10);
	return !*end && *len <= max;
}

/* The part of text before `end`; false: it is too long for an address. */
static bool copy_part(char part[NET_TEXT_MAX], const char *text,
		      const char *end)
{
	size_t n = (size_t)(end - text);

	if (n >= NET_TEXT_MAX)
		return false;
	memcpy(part, text, n);
	part[n] = '\0';
	return true;
}

bool net_prefix_parse(struct net_prefix *prefix, const char *text,
		      unsigned version)
{
	const char *slash = strchr(text, '/');
	char part[NET_TEXT_MAX];

	return slash && copy_part(part, text, slash) &&
	       net_addr_parse(&prefix->addr, part, version) &&
	       parse_length(slash + 1, bits_of(prefix->addr.version),
			    &prefix->len);
}

bool net_range_parse(struct net_range *range, const char *text,
		     unsigned version)
{
	const char *dash = strchr(text, '-');
	char part[NET_TEXT_MAX];

	if (!dash) {
		if (!net_addr_parse(&range->first, text, version))
			return false;
		range->last = range->first;
		return true;
	}
	return copy_part(part, text, dash) &&
	       net_addr_parse(&range->first, part, version) &&
	       net_addr_parse(&range->last, dash + 1, range->first.version) &&
	       net_addr_compare(&range->first, &range->last) <= 0;
}

const char *net_addr_text(const struct net_addr *addr, char buf[NET_TEXT_MAX])
{
	if (!inet_ntop(addr->version == 4 ? AF_INET : AF_INET6, addr->bytes,
		       buf, NET_TEXT_MAX))
		buf[0] = '\0';
	return buf;
}

int net_addr_compare(const struct net_addr *a, const struct net_addr *b)
{
	if (a->version != b->version)
		return a->version < b->version ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* The first n bits are the same. */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned n)
{
	unsigned rest = n % 8;

	if (memcmp(a, b, n / 8))
		return false;
	return !rest || !((a[n / 8] ^ b[n / 8]) >> (8 - rest));
}

bool net_prefix_has(const struct net_prefix *prefix,
		    const struct net_addr *addr)
{
	return prefix->addr.version == addr->version &&
	       same_bits(prefix->addr.bytes, addr->bytes, prefix->len);
}

bool net_prefix_overlaps(const struct net_prefix *a, const struct net_prefix *b)
{
	return a->len <= b->len ? net_prefix_has(a, &b->addr)
				: net_prefix_has(b, &a->addr);
}

void net_prefix_ends(const struct net_prefix *prefix, struct net_addr *first,
		     struct net_addr *last)
{
	*first = *last = prefix->addr;
	for (unsigned i = prefix->len; i < bits_of(prefix->addr.version); i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		first->bytes[i / 8] &= (uint8_t)~bit;
		last->bytes[i / 8] |= bit;
	}
}

bool net_prefix_is_network(const struct net_prefix *prefix)
{
	struct net_addr first, last;

	net_prefix_ends(prefix, &first, &last);
	return !net_addr_compare(&first, &prefix->addr);
}

bool net_is_label(const char *text, size_t n)
{
	if (!n || n > LABEL_MAX || text[0] == '-' || text[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-')
			return false;
	return true;
}
