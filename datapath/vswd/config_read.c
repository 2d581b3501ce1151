/* Tables Open_vSwitch and Bridge, and what reading any table needs. */
#include "vswd/config_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "worker/worker.h"

LOG_MODULE(config);

int64_t config_map_integer(const struct ovsdb_datum *map, const char *where,
			   const char *key, int64_t min, int64_t max,
			   int64_t fallback)
{
	const char *text = ovsdb_datum_get_string(map, key);
	long long value;
	char *end;

	if (!text)
		return fallback;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max) {
		log_warn("%s: %s is \"%s\"; it must be a number from %lld to "
			 "%lld; the default is used",
			 where, key, text, (long long)min, (long long)max);
		return fallback;
	}
	return value;
}

bool config_map_boolean(const struct ovsdb_datum *map, const char *where,
			const char *key, bool fallback)
{
	const char *text = ovsdb_datum_get_string(map, key);

	if (!text)
		return fallback;
	if (!strcasecmp(text, "true"))
		return true;
	if (!strcasecmp(text, "false"))
		return false;
	log_warn("%s: %s is \"%s\"; it must be true or false; %s is used",
		 where, key, text, fallback ? "true" : "false");
	return fallback;
}

void config_map_pairs(const struct ovsdb_datum *map, const char *where,
		      const char *key, unsigned key_max, unsigned value_max,
		      struct number_pairs *pairs)
{
	const char *text = ovsdb_datum_get_string(map, key);

	if (number_pairs_parse(text ? text : "", key_max, value_max, pairs))
		return;
	log_warn("%s: %s is \"%s\"; it must be pairs of numbers such as "
		 "0:2,1:3, from 0 to %u before the colon and from 0 to %u "
		 "behind it; it is ignored",
		 where, key, text, key_max, value_max);
}

struct port_option *config_map_options(const struct ovsdb_datum *map, size_t *n)
{
	struct port_option *options = xcalloc(map->n, sizeof(*options));

	for (unsigned i = 0; i < map->n; i++) {
		options[i].key = xstrdup(ovsdb_atom_string(&map->keys[i]));
		options[i].value = xstrdup(ovsdb_atom_string(&map->values[i]));
	}
	*n = map->n;
	return options;
}

struct vlan_set *config_vlan_set(const struct ovsdb_datum *datum)
{
	struct vlan_set *set;

	if (!datum->n)
		return NULL;
	set = xcalloc(1, sizeof(*set));
	for (unsigned i = 0; i < datum->n; i++) {
		int64_t vid = datum->keys[i].integer;

		if (vid >= 0 && vid < VLAN_N)
			vlan_set_add(set, vid);
	}
	return set;
}

static void read_hwaddr(struct cfg_bridge *bridge,
			const struct ovsdb_datum *other_config)
{
	const char *text = ovsdb_datum_get_string(other_config, "hwaddr");

	if (!text)
		return;
	if (mac_from_string(text, &bridge->hwaddr) && bridge->hwaddr &&
	    !mac_is_multicast(bridge->hwaddr))
		return;
	bridge->hwaddr = 0;
	log_warn("bridge %s: other_config:hwaddr is \"%s\"; it must be a "
		 "unicast address as 02:00:00:00:00:01; it is ignored",
		 bridge->name, text);
}

struct cfg_bridge *config_read_bridge(const struct db_columns *columns,
				      const struct ovsdb_client_row *row)
{
	const struct ovsdb_datum *other =
		db_get(columns, row, DB_BRIDGE_OTHER_CONFIG);
	struct cfg_bridge *bridge = xcalloc(1, sizeof(*bridge));
	struct vlan_set *flood;
	char *where;

	bridge->uuid = row->uuid;
	bridge->name = xstrdup(db_get_string(columns, row, DB_BRIDGE_NAME, ""));
	where = xasprintf("bridge %s: other_config", bridge->name);
	bridge->mac_age_s = config_map_integer(other, where, "mac-aging-time",
					       1, 86400 * 365, FDB_AGE_DEFAULT);
	bridge->mac_table_size =
		config_map_integer(other, where, "mac-table-size", 1,
				   FDB_SIZE_MAX, FDB_SIZE_DEFAULT);
	bridge->forward_bpdu =
		config_map_boolean(other, where, "forward-bpdu", false);
	read_hwaddr(bridge, other);
	config_read_private_vlans(bridge, other);
	flood = config_vlan_set(db_get(columns, row, DB_BRIDGE_FLOOD_VLANS));
	if (flood) {
		bridge->has_flood_vlans = true;
		bridge->flood_vlans = *flood;
		free(flood);
	}
	free(where);
	return bridge;
}

struct cfg_switch *config_read_switch(const struct db_columns *columns,
				      const struct ovsdb_client_row *row)
{
	static const char where[] = "Open_vSwitch: other_config";
	const struct ovsdb_datum *other =
		db_get(columns, row, DB_SWITCH_OTHER_CONFIG);
	struct cfg_switch *config = xcalloc(1, sizeof(*config));

	config->uuid = row->uuid;
	config->next_cfg = db_get_integer(columns, row, DB_SWITCH_NEXT_CFG, 0);
	config->cur_cfg = db_get_integer(columns, row, DB_SWITCH_CUR_CFG, 0);
	config->n_workers = config_map_integer(other, where, "n-workers", 1,
					       PORT_THREADS_MAX - 1, 0);
	config->poll_idle_us = config_map_integer(other, where, "poll-idle-us",
						  0, CONFIG_POLL_IDLE_MAX_US,
						  CONFIG_POLL_IDLE_US);
	config->worker_auto_balance =
		config_map_boolean(other, where, "worker-auto-balance", true);
	config->kernel_fast_path =
		config_map_boolean(other, where, "kernel-fast-path", true);
	config_map_pairs(other, where, "worker-affinity", WORKERS_MAX - 1,
			 CONFIG_CORE_MAX, &config->worker_cores);
	config->stats_interval_ms =
		config_map_integer(other, where, "stats-update-interval",
				   CONFIG_STATS_INTERVAL_MIN_MS, INT32_MAX,
				   CONFIG_STATS_INTERVAL_MS);
	config->settings = config_map_options(other, &config->n_settings);
	return config;
}
