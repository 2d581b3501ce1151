/*
 * Text of strangers, made fit for people: for terminals, logs, and JSON.
 */
#ifndef DISCOVERY_TEXT_H
#define DISCOVERY_TEXT_H

#include "discovery/info.h"

/*
 * Copies up to n bytes of foreign text to `to` (size bytes, not 0), cut at a
 * whole character, ended by a zero. What is no UTF-8, and characters that
 * control a terminal or the direction of writing, become '?'; line ends and
 * tabs become a space, one for several; so the text never grows. It ends at
 * the first zero byte, as some senders fill up with them.
 */
void text_clean(char *to, size_t size, const void *from, size_t n);

#define DISCOVERY_NAME_SIZE 400
/* "02:00:00:00:00:01", "192.0.2.1", a name; else bytes in hexadecimal. */
const char *chassis_format(const struct discovery_id *id,
			   char buf[DISCOVERY_NAME_SIZE]);
const char *port_id_format(const struct discovery_id *id,
			   char buf[DISCOVERY_NAME_SIZE]);
const char *address_format(const struct discovery_address *address,
			   char buf[DISCOVERY_NAME_SIZE]);

/* "mac", "ifname", "local", ...; lldpd's words. "reserved" for others. */
const char *chassis_subtype_name(uint8_t subtype);
const char *port_id_subtype_name(uint8_t subtype);
/* "ipv4", "ipv6", "mac", or "other" */
const char *address_family_name(uint8_t family);

/* Name of bit `bit`, NULL when it has none: "bridge", "router", ... */
const char *capability_name(unsigned bit);
/* The same of CDP's: "router", "switch", "igmp", ... */
const char *cdp_capability_name(unsigned bit);
/* RFC 4836: "1000BaseTFD", or NULL */
const char *mau_type_name(uint16_t type);

#endif
