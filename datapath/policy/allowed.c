/* What the station behind a port may call its own: lists, looked through. */
#include "policy/allowed.h"

struct allowed_ip4 allowed_prefix4(const uint8_t ip[4], unsigned bits)
{
	uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;

	return (struct allowed_ip4){ load_be32(ip) & mask, mask };
}

struct allowed_ip6 allowed_prefix6(const uint8_t ip[16], unsigned bits)
{
	struct allowed_ip6 prefix;
	uint8_t mask[16] = { 0 };

	memset(mask, 0xff, bits / 8);
	if (bits % 8)
		mask[bits / 8] = (uint8_t)(0xff00 >> bits % 8);
	memcpy(prefix.address, ip, 16);
	memcpy(prefix.mask, mask, 16);
	prefix.address[0] &= prefix.mask[0];
	prefix.address[1] &= prefix.mask[1];
	return prefix;
}

bool allowed_names_mac(const struct allowed *a, uint64_t mac)
{
	for (unsigned i = 0; i < a->n_macs; i++)
		if (a->macs[i] == mac)
			return true;
	return false;
}

bool allowed_mac(const struct allowed *a, uint64_t mac)
{
	return !a->guards_macs || allowed_names_mac(a, mac);
}

static const struct allowed_ips *leased_of(const struct allowed *a)
{
	return a->leased ? atomic_load_explicit(a->leased, memory_order_acquire)
			 : NULL;
}

static bool has_ip4(const struct allowed_ips *ips, uint32_t ip)
{
	for (unsigned i = 0; ips && i < ips->n_ip4; i++)
		if ((ip & ips->ip4[i].mask) == ips->ip4[i].address)
			return true;
	return false;
}

bool allowed_ip4(const struct allowed *a, uint32_t ip)
{
	return !a->guards_ips ||
	       (ip && (has_ip4(&a->ips, ip) || has_ip4(leased_of(a), ip)));
}

static bool has_ip6(const struct allowed_ips *ips, const uint64_t ip[2])
{
	for (unsigned i = 0; ips && i < ips->n_ip6; i++) {
		const struct allowed_ip6 *p = &ips->ip6[i];

		if (!(((ip[0] & p->mask[0]) ^ p->address[0]) |
		      ((ip[1] & p->mask[1]) ^ p->address[1])))
			return true;
	}
	return false;
}

/* RFC 4291, appendix A: ff:fe in the middle, the universal bit turned. */
static bool is_of_own_mac(const struct allowed *a, const uint8_t ip[16])
{
	static const uint8_t link[8] = { 0xfe, 0x80 };
	uint64_t mac = (uint64_t)ip[8] << 40 | (uint64_t)ip[9] << 32 |
		       (uint64_t)ip[10] << 24 | (uint64_t)ip[13] << 16 |
		       (uint64_t)ip[14] << 8 | ip[15];

	return !memcmp(ip, link, sizeof(link)) && ip[11] == 0xff &&
	       ip[12] == 0xfe &&
	       (!a->n_macs || allowed_names_mac(a, mac ^ 0x020000000000ull));
}

bool allowed_ip6(const struct allowed *a, const uint8_t ip[16])
{
	uint64_t words[2];

	if (!a->guards_ips)
		return true;
	memcpy(words, ip, sizeof(words));
	if (!(words[0] | words[1]))
		return false;
	return has_ip6(&a->ips, words) || has_ip6(leased_of(a), words) ||
	       is_of_own_mac(a, ip);
}
