#include "bond_database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *insert_interface(const char *name, const char *type)
{
	return json_pack("{s:s, s:s, s:s+, s:{s:s, s:s}}", "op", "insert",
			 "table", "Interface", "uuid-name", "i_", name, "row",
			 "name", name, "type", type);
}

static json_t *named(const char *name)
{
	json_t *uuid = json_pack("[s, s+]", "named-uuid", "i_", name);

	return uuid;
}

/* A port of null interfaces m1 and m2, with further columns (JSON). */
void db_add_bond(struct test_daemon *f, const char *name, const char *columns)
{
	json_t *port = json_loads(columns, 0, NULL);

	assert_non_null(port);
	json_object_set_new(port, "name", json_string(name));
	json_object_set_new(
		port, "interfaces",
		json_pack("[s, [o, o]]", "set", named("m1"), named("m2")));
	test_daemon_transact(f,
			     json_pack("[o, o, {s:s, s:s, s:s, s:o},"
				       " {s:s, s:s, s:[], s:[[s,s,[s,s]]]}]",
				       insert_interface("m1", "null"),
				       insert_interface("m2", "null"), "op",
				       "insert", "table", "Port", "uuid-name",
				       "p", "row", port, "op", "mutate",
				       "table", "Bridge", "where", "mutations",
				       "ports", "insert", "named-uuid", "p"));
}

void db_add_member(struct test_daemon *f, const char *port, const char *name,
		   const char *type)
{
	test_daemon_transact(
		f, json_pack("[o, {s:s, s:s, s:[[s,s,s]], s:[[s,s,o]]}]",
			     insert_interface(name, type), "op", "mutate",
			     "table", "Port", "where", "name", "==", port,
			     "mutations", "interfaces", "insert", named(name)));
}

void db_del_member(struct test_daemon *f, const char *port, const char *name)
{
	const struct vport *v = vswitch_find_vport(f->vs, name);
	char uuid[UUID_LEN + 1];

	uuid_format(&v->interface->uuid, uuid);
	test_daemon_transact(
		f, json_pack("[{s:s, s:s, s:[[s,s,s]], s:[[s,s,[s,s]]]}]", "op",
			     "mutate", "table", "Port", "where", "name",
			     "==", port, "mutations", "interfaces", "delete",
			     "uuid", uuid));
}

const struct fwd_port *db_member(struct test_daemon *f, const char *name)
{
	const struct vport *v = vswitch_find_vport(f->vs, name);

	return v ? v->fwd : NULL;
}

struct lacp_port_status db_lacp_status(struct test_daemon *f, const char *name)
{
	const struct vport *v = vswitch_find_vport(f->vs, name);
	struct bond_member_status status;
	struct lacp_port_status lacp;

	bond_get_member_status(vport_bond_member(v), vswitch_now_ms(), &status);
	assert_non_null(status.lacp);
	lacp_port_get_status(status.lacp, &lacp);
	return lacp;
}
