/*
 * Domain names as they are in messages (RFC 1035 3.1): labels with their
 * lengths, the empty one last; compared without case (RFC 4343).
 */
#ifndef GATEWAY_DNS_NAME_H
#define GATEWAY_DNS_NAME_H

#include "packet/reader.h"

#define DNS_NAME_MAX  255
#define DNS_LABEL_MAX 63

struct dns_name {
	uint8_t len;		    /* with the empty label; 0: none */
	uint8_t wire[DNS_NAME_MAX]; /* letters as they came */
};

/* An uncompressed name. False, and r may have moved: it is not one. */
bool dns_name_read(struct reader *r, struct dns_name *name);
/* From "vm1.lab" or "vm1.lab."; false when it cannot be a name. */
bool dns_name_from_text(const char *text, struct dns_name *name);
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);
/*
 * The number of labels in front of the suffix; -1: the name does not end with
 * it. The root is a suffix of all.
 */
int dns_name_under(const struct dns_name *name, const struct dns_name *suffix);
/* The first label in lower case as a string; false: there is none, or it has
 * bytes that no host name has. */
bool dns_name_label(const struct dns_name *name, char label[DNS_LABEL_MAX + 1]);

#endif
