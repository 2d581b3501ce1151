/*
 * VXLAN ports that cannot be together on one switch, or on this host. Each was
 * read by itself and makes sense taken alone.
 *
 * Who comes first does not depend on the order of rows: a port that has worked
 * until now, with the same VNIs and underlay, goes on, and the other one is
 * refused; of those that are new together the one whose name comes first works.
 */
#ifndef VSWD_CONFIG_CHECK_OVERLAYS_H
#define VSWD_CONFIG_CHECK_OVERLAYS_H

#include "vswd/config.h"
#include "vswd/config_overlay.h"

struct overlay_check {
	const struct cfg_bridge *bridge;   /* that it is a port of */
	const char *name;		   /* of its interface */
	const struct cfg_overlay *overlay; /* taken alone; it has no error */
	/* As it worked until now; NULL: it did not. */
	const struct cfg_overlay *before;
	char *error; /* the result: why it cannot be; the caller's. NULL: can */
};

/* config: all of its bridges are read; those of overlays are not made up. */
void config_check_overlays(struct overlay_check *checks, size_t n,
			   const struct cfg_switch *config);
/* The same with these as the addresses that the host has. */
void config_check_overlays_with(struct overlay_check *checks, size_t n,
				const struct cfg_switch *config,
				const struct ip_address *own, size_t n_own);

/* The bridge of that name, made up or not, or NULL. */
const struct cfg_bridge *config_find_bridge(const struct cfg_switch *config,
					    const char *name);

/* All addresses that the host has, *n of them; the caller's. NULL: none. */
struct ip_address *config_own_addresses(size_t *n);

#endif
