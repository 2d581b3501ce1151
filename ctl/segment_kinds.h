/* Kinds of values of a segment's options that are no numbers. */
#ifndef CTL_SEGMENT_KINDS_H
#define CTL_SEGMENT_KINDS_H

#include "base/util.h"

struct segment_kind {
	bool (*is_right)(const char *value);
	const char *what;  /* "it is ..." */
	const char *words; /* for completion, or NULL */
};

extern const struct segment_kind kind_boolean, kind_mac, kind_ip4, kind_ip6,
	kind_ips, kind_ip4s, kind_range4, kind_router, kind_resolvers,
	kind_domain, kind_domains, kind_routes, kind_outside4, kind_outside6,
	kind_file, kind_path, kind_ipv6_way, kind_filtering;

#endif
