/*
 * The mirrors of a configuration as the client's replica has it: a row is read
 * anew only when it has changed. A part of db_view.c.
 */
#ifndef VSWD_DB_MIRRORS_H
#define VSWD_DB_MIRRORS_H

#include "vswd/config.h"

struct db_columns;
struct db_mirrors;
struct ovsdb_client;
struct ovsdb_client_row;

struct db_mirrors *db_mirrors_create(void);
void db_mirrors_destroy(struct db_mirrors *mirrors);
/* The columns are others now: all is to be read anew. */
void db_mirrors_forget(struct db_mirrors *mirrors);
/* Gives the bridge, whose row this is, its mirrors, by name. */
void db_mirrors_read(struct db_mirrors *mirrors,
		     const struct db_columns *columns,
		     const struct ovsdb_client *client,
		     const struct ovsdb_client_row *row,
		     struct cfg_bridge *bridge);
/* All bridges were read: those that were not met are forgotten. */
void db_mirrors_finish(struct db_mirrors *mirrors);

#endif
