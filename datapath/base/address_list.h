/*
 * Lists of addresses as people write them for a port: its MACs (allowed-macs)
 * and its IP addresses and networks (allowed-ips), with commas or spaces in
 * between. vsw-ctl and vswd read them alike.
 */
#ifndef BASE_ADDRESS_LIST_H
#define BASE_ADDRESS_LIST_H

#include "base/net_text.h"

#define ADDRESS_LIST_MAX 64 /* addresses in one list */

struct address_list {
	bool any;  /* the only word, instead of addresses */
	bool dhcp; /* of IP addresses: also what DHCP leases */
	unsigned n;
	uint64_t macs[ADDRESS_LIST_MAX]; /* 48 bits, first byte highest */
	struct net_prefix ips[ADDRESS_LIST_MAX];
};

/*
 * Unicast MAC addresses. NULL: all is well. Otherwise what is wrong with which
 * word, the caller's to free; the words that are right are in the list anyhow.
 */
char *address_list_macs(struct address_list *list, const char *text);
/* IP addresses and networks, the same. */
char *address_list_ips(struct address_list *list, const char *text);

#endif
