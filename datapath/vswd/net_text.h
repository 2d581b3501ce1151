/*
 * Addresses as people write them in the database, and back, for a segment's
 * rows. IPv4 addresses are in host byte order.
 */
#ifndef VSWD_NET_TEXT_H
#define VSWD_NET_TEXT_H

#include <arpa/inet.h>

#include "gateway/client.h"

/* False: the text is none; then what it would go to is not touched. */
bool net_text_ip4(const char *text, uint32_t *ip);
bool net_text_ip6(const char *text, uint8_t ip[16]);
bool net_text_ip(const char *text, struct ip_address *ip); /* either */
/* "10.20.0.1/24" */
bool net_text_prefix4(const char *text, uint32_t *ip, uint8_t *len);
bool net_text_prefix6(const char *text, uint8_t ip[16], uint8_t *len);
/* "10.20.0.10-10.20.0.99", both in order, or one address alone */
bool net_text_range4(const char *text, uint32_t *first, uint32_t *last);
/* All digits, from min to max. */
bool net_text_number(const char *text, uint64_t min, uint64_t max,
		     uint64_t *number);
/* A label of a host's name (RFC 1123 2.1), at most 63 letters. */
bool net_text_is_label(const char *text);

/* A unicast address that a machine can have. */
bool ip4_is_unicast(uint32_t ip);
bool ip6_is_unicast(const uint8_t ip[16]); /* global or unique local */

/*
 * The items of "a,b,c", one after the other; spaces around them are no part of
 * them. An empty text has none.
 */
struct text_list {
	char *copy, *rest;
};
void text_list_init(struct text_list *list, const char *text);
/* NULL: that was all. Lives as long as the list. */
char *text_list_next(struct text_list *list);
void text_list_fini(struct text_list *list);

struct ip_text {
	char text[INET6_ADDRSTRLEN];
};
struct ip_text ip4_text(uint32_t ip);
struct ip_text ip6_text(const uint8_t ip[16]);
struct ip_text ip_text(const struct ip_address *ip);

#endif
