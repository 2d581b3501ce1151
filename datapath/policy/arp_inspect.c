/*
 * Who says by ARP that he has an address (RFC 826), and may not. All of it
 * hangs on the sender's two addresses: receivers put those into their tables,
 * of requests as of replies.
 */
#include "policy/inspect_internal.h"

#define ARP_HARDWARE_ETHERNET 1
#define ARP_REQUEST	      1

int arp_inspect(const struct allowed *a, uint64_t src_mac, const uint8_t *arp,
		size_t n, bool rarp)
{
	uint16_t hardware, protocol, operation;
	uint8_t hardware_len, protocol_len;
	uint32_t sender_ip, target_ip;
	uint64_t sender;
	struct reader r;

	reader_init(&r, arp, n);
	hardware = reader_be16(&r);
	protocol = reader_be16(&r);
	hardware_len = reader_u8(&r);
	protocol_len = reader_u8(&r);
	operation = reader_be16(&r);
	sender = reader_mac(&r);
	sender_ip = reader_be32(&r);
	reader_skip(&r, 6);
	target_ip = reader_be32(&r);
	if (r.failed || hardware != ARP_HARDWARE_ETHERNET ||
	    protocol != ETH_TYPE_IPV4 || hardware_len != 6 || protocol_len != 4)
		return DROP_SPOOFED_ARP;
	if (!is_own_mac(a, src_mac, sender))
		return DROP_SPOOFED_ARP;
	/* A station that asks for its own address has none yet (RFC 903). */
	if (rarp)
		return -1;
	/*
	 * A probe (RFC 5227 2.1.1) is of an address that it wants: another's is
	 * kept from having his by it. What DHCP is about to lease to it is not
	 * known before it probes.
	 */
	if (!sender_ip)
		return operation == ARP_REQUEST &&
				       (a->leased || allowed_ip4(a, target_ip))
			       ? -1
			       : DROP_SPOOFED_ARP;
	return allowed_ip4(a, sender_ip) ? -1 : DROP_SPOOFED_ARP;
}
