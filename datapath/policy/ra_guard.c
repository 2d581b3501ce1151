/*
 * What only routers say: router advertisements and redirects (RFC 6105), of
 * IPv4 as well (RFC 1256, RFC 792). Fragments of an advertisement are one.
 */
#include "policy/inspect_internal.h"

int ra_guard4(struct reader icmp)
{
	uint8_t type = reader_u8(&icmp);

	return type == ICMP4_REDIRECT || type == ICMP4_ROUTER_ADVERTISEMENT
		       ? DROP_ROUTER
		       : -1;
}

int ra_guard6(struct reader icmp)
{
	uint8_t type = reader_u8(&icmp);

	return type == ICMP6_ROUTER_ADVERTISEMENT || type == ICMP6_REDIRECT
		       ? DROP_ROUTER
		       : -1;
}
