/*
 * A segment's rows to a struct cfg_segment, and the ports that it makes up. A
 * value that makes no sense is the segment's error (or its forward's), in one
 * line: a network with other addresses than were meant is worse than none.
 *
 *	config_read_segment.c	       type, networks, what all of it needs
 *	config_read_segment_options.c  the keys of options
 *	config_read_segment_services.c DNS, router advertisements, DHCPv6
 *	config_read_segment_dhcp.c     DHCP and static leases
 *	config_read_segment_uplink.c   outside=BRIDGE, address translation
 *	config_read_segment_forward.c  rows Forward and Lease
 */
#ifndef VSWD_CONFIG_READ_SEGMENT_H
#define VSWD_CONFIG_READ_SEGMENT_H

#include "vswd/columns.h"
#include "vswd/config.h"
#include "vswd/config_segment.h"
#include "vswd/net_text.h"

struct segment_rows {
	const char *bridge; /* the name of the bridge that refers to it */
	const struct ovsdb_client_row *segment;
	const struct ovsdb_client_row *const *forwards, *const *leases;
	size_t n_forwards, n_leases;
};

/* One reference, the caller's. */
struct cfg_segment *config_read_segment(const struct db_columns *columns,
					const struct segment_rows *rows);
/*
 * Logs options that are not known, or have no effect as things are, but for
 * what *told says: that was logged the last time, and is replaced. NULL at
 * first; the caller's to free.
 */
void config_doubt_segment(const struct db_columns *columns,
			  const struct segment_rows *rows,
			  const struct cfg_segment *segment, char **told);

/* --- what it makes up (config_segment_ports.c) ---------------------------- */

/* A reference each; NULL: there is none. */
struct segment_ports {
	struct cfg_port *inside, *outside, *host_side, *hostnet;
};
void config_segment_ports(const struct cfg_segment *segment,
			  struct segment_ports *ports);
void config_segment_ports_unref(struct segment_ports *ports);
/* The bridge that is in no row, with its two ports; cfg_bridge_free(). */
struct cfg_bridge *config_segment_bridge(const struct cfg_segment *segment,
					 const struct segment_ports *ports);

/* --- between the files ---------------------------------------------------- */

struct segment_reader {
	const struct db_columns *columns;
	const struct segment_rows *rows;
	const struct ovsdb_datum *options;
	struct cfg_segment *segment; /* under construction */
};

/* Its error, if it has none yet. */
void segment_refuse(struct cfg_segment *segment, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
/* An address that a machine of the segment can have; not the gateway's. */
bool segment_has_host(const struct cfg_segment *segment,
		      const struct ip_address *ip);

/* The value of an option; NULL: it is not set. */
const char *segment_option(const struct segment_reader *r, const char *key);
/* "options:KEY is "VALUE"; it must be " and the text. */
void segment_refuse_option(const struct segment_reader *r, const char *key,
			   const char *must_be);
bool segment_boolean(const struct segment_reader *r, const char *key,
		     bool fallback);
uint32_t segment_number(const struct segment_reader *r, const char *key,
			uint32_t min, uint32_t max, uint32_t fallback);

void config_read_segment_services(struct segment_reader *r);
void config_read_segment_dhcp(struct segment_reader *r);
void config_read_segment_uplink(struct segment_reader *r);
void config_read_segment_nat(struct segment_reader *r);
void config_read_segment_forwards(struct segment_reader *r);
void config_read_segment_leases(struct segment_reader *r);

#endif
