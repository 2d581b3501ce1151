/*
 * Bonds whose settings contradict each other. Each setting alone was looked at
 * when it was set (settings.h); whether they go together can only be said when
 * all commands of the line have run. vswd would say the same in
 * Interface:error, but only after it was stored.
 */
#ifndef CTL_BOND_CHECK_H
#define CTL_BOND_CHECK_H

#include "base/util.h"

struct ctl;

/*
 * The settings of a Port row that concern bonds. A value that is not set is
 * NULL; times are 0 then.
 */
struct bond_settings {
	const char *port;
	const char *mode, *lacp; /* the columns bond_mode and lacp */
	long long updelay_ms, downdelay_ms;
	const char *active_mac; /* bond_active_slave, if somebody sets it */
	/* other_config */
	const char *policy, *primary, *detect, *fallback_ab;
	const char *lacp_time;
	const char *active, *standby, *unused; /* bond-...-members */
	const char **members; /* names; of a bond two or more */
	size_t n_members;
	/* Interfaces that the command line takes away; freed by who made it. */
	const char **leaving;
	size_t n_leaving;
	/* Each member's other_config:lacp-port-id, NULL: not set; or NULL. */
	const char **port_ids;
};

/*
 * bond_rules.c: whether vswd makes a bond of it. One interface with LACP is a
 * bond of one.
 */
bool bond_settings_are_bonds(const struct bond_settings *settings);
/*
 * NULL, or what contradicts what, in one line that names both; freed by the
 * caller.
 */
char *bond_settings_check(const struct bond_settings *settings);

/*
 * NULL, or which setting has no effect as things are, and when it would have
 * one; freed by the caller.
 */
char *bond_settings_doubt(const struct bond_settings *settings);

/*
 * Looks at each Port that the commands have changed in what concerns bonds;
 * ends the program with the reason when one cannot be, and warns of what has no
 * effect.
 */
void bond_check(struct ctl *ctl);

#endif
