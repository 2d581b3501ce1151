/*
 * Bonds in the database of a test daemon, with members of type null, and what
 * has become of them.
 */
#ifndef TESTS_BOND_DATABASE_H
#define TESTS_BOND_DATABASE_H

#include "daemon_fixture.h"
#include "vswd/vbond.h"

/* A port of br0 with null interfaces m1 and m2; columns is a JSON object. */
void db_add_bond(struct test_daemon *f, const char *name, const char *columns);
/* An interface more, or less, of a port of any kind. */
void db_add_member(struct test_daemon *f, const char *port, const char *name,
		   const char *type);
void db_del_member(struct test_daemon *f, const char *port, const char *name);

/* The interface in the workers' snapshot, or NULL. */
const struct fwd_port *db_member(struct test_daemon *f, const char *name);
struct lacp_port_status db_lacp_status(struct test_daemon *f, const char *name);

#endif
