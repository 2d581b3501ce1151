/*
 * What the rows say of a port's security: whose frames it gets, and what its
 * station may say (policy/guard.h).
 */
#ifndef VSWD_CONFIG_SECURITY_H
#define VSWD_CONFIG_SECURITY_H

#include "policy/inspect.h"
#include "vswd/columns.h"
#include "vswd/config.h"

struct cfg_security {
	/* allowed.macs and .ips are named; allowed.leased is not set. */
	struct inspect_rules rules;
	bool promiscuous; /* it gets frames to unknown stations that are others'
			   */
	bool mac_changes; /* any MAC may be learned at it */
	bool by_dhcp;	  /* what DHCP leases to it is allowed, too */
};

/*
 * config_read_security.c: of the port's row and its interfaces' rows; NULL:
 * nothing is restricted.
 */
struct cfg_security *config_read_security(
	struct cfg_port *port, const struct db_columns *columns,
	const struct ovsdb_client_row *row,
	const struct ovsdb_client_row *const interfaces[], size_t n_interfaces);
void cfg_security_free(struct cfg_security *security); /* accepts NULL */

/*
 * Whether addresses that were learned by the settings a may have no place by
 * the settings b. Either may be NULL.
 */
bool cfg_security_flushes(const struct cfg_security *a,
			  const struct cfg_security *b);

#endif
