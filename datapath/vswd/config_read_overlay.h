/*
 * An Interface row of type "vxlan" to a struct cfg_overlay. What makes no
 * sense, or contradicts itself, is the overlay's error, in one line: a tunnel
 * that leads elsewhere than was meant is worse than none.
 *
 *	config_read_overlay.c	       what it is: remotes, VNIs, behaviour
 *	config_read_overlay_options.c  which keys there are, their values
 *	config_read_overlay_underlay.c local_ip, underlay, and what they need
 *	config_read_overlay_macs.c     rows of table Remote_MAC
 *	config_overlay_ports.c	       the ports of underlays
 */
#ifndef VSWD_CONFIG_READ_OVERLAY_H
#define VSWD_CONFIG_READ_OVERLAY_H

#include "vswd/columns.h"
#include "vswd/config.h"
#include "vswd/config_overlay.h"
#include "vswd/net_text.h"

/* Of the interface's name, options and mtu_request; the caller's. */
struct cfg_overlay *config_read_overlay(const struct cfg_interface *interface);
/*
 * The port is read but for this: its VLANs fit its VXLAN port, or that has an
 * error. key=flow and no trunks: the mapped VLANs are the trunks.
 */
void config_read_overlay_vlans(struct cfg_port *port);
/*
 * The rows of table Remote_MAC of the port's only interface, which is of type
 * vxlan; before there are none. Each that makes no sense has an error.
 */
void config_read_overlay_macs(struct cfg_port *port,
			      const struct db_columns *columns,
			      const struct ovsdb_client_row *const rows[],
			      size_t n);

/* --- underlays (config_overlay_ports.c) ------------------------------------
 */

/*
 * The made-up port of an underlay, for the overlays that have it, at least one;
 * bridge: of a station, NULL: sockets. One reference, the caller's.
 */
struct cfg_port *config_overlay_port(const struct cfg_overlay *const overlays[],
				     size_t n, const struct cfg_bridge *bridge);
/* The same port, so that the former need not be touched? */
bool config_overlay_port_equals(const struct cfg_port *a,
				const struct cfg_port *b);
/* OVERLAY_HOST_BRIDGE without ports; cfg_bridge_free(). */
struct cfg_bridge *config_overlay_bridge(void);

/* --- between the files ----------------------------------------------------
 */

struct overlay_reader {
	const struct cfg_interface *interface;
	struct cfg_overlay *overlay; /* under construction */
	const char *version_by; /* the option that said ip_version, or NULL */
};

/* Its error, if it has none yet. */
void overlay_refuse(struct cfg_overlay *overlay, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
/* Options that are not known, or mean what there is not. */
void overlay_check_keys(const struct overlay_reader *r);

/* The value; NULL: not set. */
const char *overlay_option(const struct overlay_reader *r, const char *key);
/* "options:KEY is "VALUE"; it must be " and the text. */
void overlay_refuse_option(const struct overlay_reader *r, const char *key,
			   const char *must_be);
bool overlay_boolean(const struct overlay_reader *r, const char *key,
		     bool fallback);
/* Decimal, or hexadecimal with 0x. */
uint32_t overlay_number(const struct overlay_reader *r, const char *key,
			uint32_t min, uint32_t max, uint32_t fallback);
bool overlay_parse_number(const char *text, uint32_t min, uint32_t max,
			  uint32_t *number);
/*
 * `text` of the option as an address that a VTEP can have; must_be says what
 * the option may be. False: it was refused.
 */
bool overlay_address(struct overlay_reader *r, const char *key,
		     const char *text, const char *must_be,
		     struct ip_address *ip);
/* Why no VTEP can have it; NULL: one can. */
const char *overlay_ip_fault(const struct ip_address *ip);
bool overlay_ip_is_multicast(const struct ip_address *ip);
/* All addresses of a port are of one version. */
void overlay_same_version(struct overlay_reader *r, const char *key,
			  const struct ip_address *ip);

void config_read_overlay_underlay(struct overlay_reader *r);

#endif
