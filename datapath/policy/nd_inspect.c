/*
 * Who says by neighbour discovery (RFC 4861) that he has an address, and may
 * not: the source, the target and the link-layer addresses in the options.
 */
#include "policy/inspect_internal.h"

#define OPTION_SOURCE_ADDRESS 1
#define OPTION_TARGET_ADDRESS 2

static bool is_unspecified(const uint8_t *ip)
{
	static const uint8_t none[16];

	return !memcmp(ip, none, sizeof(none));
}

static bool is_link_address(uint8_t type)
{
	return type == OPTION_SOURCE_ADDRESS || type == OPTION_TARGET_ADDRESS;
}

/*
 * The link-layer addresses are to be those of the station. One that is no
 * Ethernet address is nobody's.
 */
static bool options_are_own(const struct allowed *a, uint64_t src_mac,
			    struct reader *r)
{
	while (reader_left(r)) {
		uint8_t type = reader_u8(r), units = reader_u8(r);
		struct reader option;
		uint64_t mac;

		if (!units)
			return false;
		option = reader_sub(r, units * 8u - 2);
		mac = reader_mac(&option);
		if (r->failed)
			return false;
		if (is_link_address(type) && !is_own_mac(a, src_mac, mac))
			return false;
	}
	return !r->failed;
}

/* The addresses that it says are its own. */
static bool addresses_are_own(const struct allowed *a, uint8_t type,
			      const uint8_t *source, const uint8_t *target)
{
	/*
	 * Without one, it asks for routers, or (RFC 4862 5.4) whether anybody
	 * has the address that it wants. Others who want theirs must not hear
	 * that it wants it, too. See arp_inspect() of DHCP.
	 */
	if (is_unspecified(source)) {
		if (type == ICMP6_NEIGHBOR_SOLICITATION)
			return a->leased || allowed_ip6(a, target);
		return type == ICMP6_ROUTER_SOLICITATION;
	}
	if (type == ICMP6_NEIGHBOR_ADVERTISEMENT && !allowed_ip6(a, target))
		return false;
	return allowed_ip6(a, source);
}

int nd_inspect(const struct allowed *a, uint64_t src_mac,
	       const uint8_t source[16], const struct inspect_upper *icmp)
{
	struct reader r = icmp->data;
	uint8_t type = reader_u8(&r);
	const uint8_t *target = NULL;

	if (type < ICMP6_ROUTER_SOLICITATION || type > ICMP6_REDIRECT)
		return -1;
	/* No host may believe fragments (RFC 6980). */
	if (icmp->is_fragment)
		return DROP_SPOOFED_ND;
	reader_skip(&r, 7);
	switch (type) {
	case ICMP6_NEIGHBOR_SOLICITATION:
	case ICMP6_NEIGHBOR_ADVERTISEMENT:
		target = reader_take(&r, 16);
		break;
	default:
		break;
	}
	if (r.failed || !addresses_are_own(a, type, source, target))
		return DROP_SPOOFED_ND;
	/*
	 * A redirect names another's; an advertisement says more than is
	 * private, of the router's own entry, to those who believe it anyway.
	 */
	if (type == ICMP6_REDIRECT || type == ICMP6_ROUTER_ADVERTISEMENT)
		return -1;
	if (icmp->cut)
		return DROP_UNINSPECTED;
	return options_are_own(a, src_mac, &r) ? -1 : DROP_SPOOFED_ND;
}
