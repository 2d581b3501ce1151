/*
 * Table Port's bond_... and lacp columns, and the keys of other_config that go
 * with them. Defaults are Open vSwitch's where it has the setting.
 *
 * A single value that makes no sense is logged, and its default is used, as
 * everywhere; settings that contradict each other refuse the bond
 * (cfg_bond.error here, where columns are known; the rest is
 * bond_config_check()).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/config_read.h"

LOG_MODULE(config);

#define REBALANCE_MS	     10000
#define REBALANCE_MIN_MS     1000
#define BEACON_MS	     1000
#define BEACON_MIN_MS	     10
#define LACP_SYSTEM_PRIORITY 65534 /* Open vSwitch's, of a bond */
#define LACP_PORT_PRIORITY   65535 /* the same */

/* A word of a list, by its number; -1 and a warning for another. */
static int word_index(const char *where, const char *key, const char *text,
		      const char *const words[], int n, const char *expected)
{
	for (int i = 0; text && i < n; i++)
		if (!strcmp(text, words[i]))
			return i;
	if (text)
		log_warn("%s: %s is \"%s\"; it must be %s; the default is used",
			 where, key, text, expected);
	return -1;
}

/* --- what is balanced how --------------------------------------------------
 */

static const char *const modes[] = {
	[BOND_ACTIVE_BACKUP] = "active-backup",
	[BOND_BALANCE_SLB] = "balance-slb",
	[BOND_BALANCE_TCP] = "balance-tcp",
};

static const char *const policies[] = { "port-id", "ip-hash" };

static void read_policy(struct cfg_bond *bond, const char *where,
			const char *mode, const char *policy)
{
	int m = word_index(where, "bond_mode", mode, modes, ARRAY_SIZE(modes),
			   "active-backup, balance-slb or balance-tcp");
	int p = word_index(where, "other_config:bond-policy", policy, policies,
			   ARRAY_SIZE(policies), "port-id or ip-hash");

	if (mode && p >= 0)
		bond->error = xasprintf("bond_mode=%s and other_config:"
					"bond-policy=%s contradict each "
					"other: clear one of them",
					mode, policy);
	if (p >= 0)
		bond->config.policy = BOND_PORT_ID + p;
	else
		bond->config.policy =
			m >= 0 ? (enum bond_policy)m : BOND_ACTIVE_BACKUP;
}

/* --- the order of members --------------------------------------------------
 */

static const char *const role_keys[] = {
	[BOND_ROLE_ACTIVE] = "bond-active-members",
	[BOND_ROLE_STANDBY] = "bond-standby-members",
	[BOND_ROLE_UNUSED] = "bond-unused-members",
};

#define RANK_NONE    UINT32_MAX /* not named in any list (yet) */
#define RANK_UNNAMED 0x10000

static struct bond_member_config *find_member(struct cfg_bond *bond,
					      const char *name)
{
	for (unsigned i = 0; i < bond->config.n_members; i++)
		if (!strcmp(bond->members[i].name, name))
			return &bond->members[i];
	return NULL;
}

static void place_member(struct cfg_bond *bond, const char *where,
			 const char *name, enum bond_role role, unsigned rank)
{
	struct bond_member_config *m = find_member(bond, name);

	if (!m) {
		log_info("%s: %s names %s, which is no member", where,
			 role_keys[role], name);
	} else if (m->rank == RANK_NONE) {
		m->role = role;
		m->rank = rank;
	} else if (!bond->error && m->role == role) {
		bond->error = xasprintf("other_config:%s names %s twice",
					role_keys[role], name);
	} else if (!bond->error) {
		bond->error =
			xasprintf("other_config:%s and other_config:%s "
				  "contradict each other: %s is named "
				  "in both",
				  role_keys[m->role], role_keys[role], name);
	}
}

/* True when there is a list at all. */
static bool read_order(struct cfg_bond *bond, const char *where,
		       const struct ovsdb_datum *other)
{
	bool any = false;

	for (int role = 0; role < (int)ARRAY_SIZE(role_keys); role++) {
		const char *text =
			ovsdb_datum_get_string(other, role_keys[role]);
		char *list = xstrdup(text ? text : ""), *rest = list, *name;
		unsigned rank = 0;

		any |= text != NULL;
		while ((name = strsep(&rest, ", ")))
			if (*name)
				place_member(bond, where, name, role, rank++);
		free(list);
	}
	return any;
}

static int compare_members(const void *a_, const void *b_)
{
	const struct bond_member_config *a = a_, *b = b_;

	return strcmp(a->name, b->name);
}

/* By name, so that a member's place does not depend on its row's UUID. */
static void make_members(struct cfg_bond *bond, const struct cfg_port *port)
{
	size_t n = port->n_interfaces;

	bond->members = xcalloc(n, sizeof(*bond->members));
	for (size_t i = 0; i < n; i++) {
		bond->members[i].name = port->interfaces[i].name;
		bond->members[i].rank = RANK_NONE;
		bond->members[i].lacp = port->interfaces[i].lacp;
	}
	qsort(bond->members, n, sizeof(*bond->members), compare_members);
	bond->config.members = bond->members;
	bond->config.n_members = n;
}

static void read_members(struct cfg_bond *bond, const char *where,
			 const struct ovsdb_datum *other)
{
	const char *primary = ovsdb_datum_get_string(other, "bond-primary");
	bool ordered = read_order(bond, where, other);

	/* Those that are not named are active ones, the last. */
	for (unsigned i = 0; i < bond->config.n_members; i++)
		if (bond->members[i].rank == RANK_NONE)
			bond->members[i].rank = RANK_UNNAMED;
	if (primary && primary[0])
		bond->primary = xstrdup(primary);
	if (bond->primary && !find_member(bond, bond->primary))
		log_warn("%s: bond-primary is \"%s\", which is no member; it "
			 "counts once it is one",
			 where, primary);
	bond->config.primary = bond->primary;
	bond->config.failback = config_map_boolean(
		other, where, "bond-failback", ordered || bond->primary);
}

/* --- LACP ------------------------------------------------------------------
 */

static uint64_t read_system_id(const struct ovsdb_datum *other,
			       const char *where)
{
	const char *text = ovsdb_datum_get_string(other, "lacp-system-id");
	uint64_t mac;

	if (!text ||
	    (mac_from_string(text, &mac) && mac && !mac_is_multicast(mac)))
		return text ? mac : 0;
	log_warn("%s: lacp-system-id is \"%s\"; it must be a unicast address "
		 "as 02:00:00:00:00:01; the bridge's is used",
		 where, text);
	return 0;
}

static void read_lacp(struct lacp_config *lacp, const char *where,
		      const char *mode, const struct ovsdb_datum *other)
{
	static const char *const words[] = {
		[LACP_OFF] = "off",
		[LACP_PASSIVE] = "passive",
		[LACP_ACTIVE] = "active",
	};
	static const char *const times[] = { "slow", "fast" };
	int m = word_index(where, "lacp", mode, words, ARRAY_SIZE(words),
			   "active, passive or off");

	lacp->mode = m >= 0 ? (enum lacp_mode)m : LACP_OFF;
	lacp->fast = word_index(where, "lacp-time",
				ovsdb_datum_get_string(other, "lacp-time"),
				times, ARRAY_SIZE(times), "fast or slow") == 1;
	lacp->system_priority =
		config_map_integer(other, where, "lacp-system-priority", 1,
				   UINT16_MAX, LACP_SYSTEM_PRIORITY);
	lacp->system_id = read_system_id(other, where);
}

struct lacp_port_config config_read_lacp_port(const struct ovsdb_datum *other,
					      const char *where)
{
	return (struct lacp_port_config){
		.id = config_map_integer(other, where, "lacp-port-id", 1,
					 UINT16_MAX, 0),
		.priority =
			config_map_integer(other, where, "lacp-port-priority",
					   1, UINT16_MAX, LACP_PORT_PRIORITY),
		.key = config_map_integer(other, where, "lacp-aggregation-key",
					  1, UINT16_MAX, 0),
	};
}

/* --- time ------------------------------------------------------------------
 */

static uint32_t read_delay(const struct db_columns *columns,
			   const struct ovsdb_client_row *row,
			   enum db_column column)
{
	int64_t ms = db_get_integer(columns, row, column, 0);

	return MIN(MAX(ms, 0), INT32_MAX);
}

static void read_intervals(struct cfg_bond *bond, const char *where,
			   const struct ovsdb_datum *other)
{
	struct bond_config *c = &bond->config;

	c->rebalance_ms =
		config_map_integer(other, where, "bond-rebalance-interval", 0,
				   INT32_MAX, REBALANCE_MS);
	if (c->rebalance_ms && c->rebalance_ms < REBALANCE_MIN_MS)
		c->rebalance_ms = REBALANCE_MIN_MS;
	bond->miimon_ms =
		config_map_integer(other, where, "bond-miimon-interval", 1,
				   INT32_MAX, CONFIG_MIIMON_MS);
	bond->miimon_ms = MAX(bond->miimon_ms, CONFIG_MIIMON_MIN_MS);
	c->beacon_ms = config_map_integer(other, where, "bond-beacon-interval",
					  BEACON_MIN_MS, INT32_MAX, BEACON_MS);
}

struct cfg_bond *config_read_bond(const struct db_columns *columns,
				  const struct ovsdb_client_row *row,
				  const struct cfg_port *port)
{
	static const char *const detects[] = {
		[BOND_DETECT_CARRIER] = "carrier",
		[BOND_DETECT_MIIMON] = "miimon",
		[BOND_DETECT_BEACON] = "beacon",
	};
	const struct ovsdb_datum *other =
		db_get(columns, row, DB_PORT_OTHER_CONFIG);
	struct cfg_bond *bond = xcalloc(1, sizeof(*bond));
	struct bond_config *c = &bond->config;
	char *where = xasprintf("port %s: other_config", port->name);
	int detect;

	make_members(bond, port);
	read_policy(bond, where,
		    db_get_string(columns, row, DB_PORT_BOND_MODE, NULL),
		    ovsdb_datum_get_string(other, "bond-policy"));
	read_members(bond, where, other);
	read_intervals(bond, where, other);
	read_lacp(&c->lacp, where,
		  db_get_string(columns, row, DB_PORT_LACP, NULL), other);
	detect = word_index(where, "bond-detect-mode",
			    ovsdb_datum_get_string(other, "bond-detect-mode"),
			    detects, ARRAY_SIZE(detects),
			    "carrier, miimon or beacon");
	c->detect =
		detect >= 0 ? (enum bond_detect)detect : BOND_DETECT_CARRIER;
	c->updelay_ms = read_delay(columns, row, DB_PORT_BOND_UPDELAY);
	c->downdelay_ms = read_delay(columns, row, DB_PORT_BOND_DOWNDELAY);
	c->hash_basis = config_map_integer(other, where, "bond-hash-basis", 0,
					   UINT32_MAX, 0);
	/* A port of one link works without a partner, as in Open vSwitch. */
	c->lacp_fallback_ab = config_map_boolean(
		other, where, "lacp-fallback-ab", port->n_interfaces == 1);
	if (!mac_from_string(
		    db_get_string(columns, row, DB_PORT_BOND_ACTIVE_SLAVE, ""),
		    &bond->active_mac))
		bond->active_mac = 0;
	free(where);
	return bond;
}
