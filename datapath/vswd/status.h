/*
 * What the database is told of the running switch: operations of one
 * transaction (RFC 7047 section 5.2), appended to an array. Only values that
 * differ from what was told last are sent; columns that the server's schema
 * lacks are left out. Control thread.
 */
#ifndef VSWD_STATUS_H
#define VSWD_STATUS_H

#include "ovsdb-lite/schema.h"
#include "vswd/switch.h"

/* Ports and bridges that are marked dirty; they are clean afterwards. */
void status_collect(struct vswitch *vs, const struct ovsdb_schema *schema,
		    json_t *operations);
/* Open_vSwitch.cur_cfg, when the configuration in effect has another. */
void status_collect_cur_cfg(const struct vswitch *vs, json_t *operations);
/* What this daemon can do; once a connection. */
void status_collect_switch(const struct vswitch *vs,
			   const struct ovsdb_schema *schema,
			   json_t *operations);
/* The counters of every port that have changed. */
void stats_collect(struct vswitch *vs, const struct ovsdb_schema *schema,
		   json_t *operations);
void stats_collect_port(struct vport *v, const struct ovsdb_schema *schema,
			json_t *operations);
/* A transaction failed: nothing counts as told. */
void status_forget(struct vswitch *vs);

/* The update of one row, if `row` (taken over) has any column. */
void status_update_row(json_t *operations, const char *table,
		       const struct uuid *uuid, json_t *row);

/* The counters as the database and `port/stats` show them, a new reference. */
struct port_counters;
json_t *stats_to_json(const struct port_counters *counters);

#endif
