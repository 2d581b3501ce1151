/*
 * Rows of table ACL as the database has them (config_read_acl.c). Immutable,
 * and the same object as long as the row has not changed. Control thread.
 */
#ifndef VSWD_CONFIG_ACL_H
#define VSWD_CONFIG_ACL_H

#include "base/acl_rule.h"
#include "vswd/columns.h"

struct cfg_acl {
	unsigned refs;
	struct uuid uuid;
	char *name;
	bool allow; /* default_action */
	size_t n_rules;
	struct acl_rule *rules; /* by order; one that is wrong is all zeros */
	char **texts;		/* as they were written */
	char *error; /* what is wrong with the first that is wrong, or NULL */
};

/* One reference, the caller's. */
struct cfg_acl *config_read_acl(const struct db_columns *columns,
				const struct ovsdb_client_row *row);
struct cfg_acl *cfg_acl_ref(struct cfg_acl *acl);
void cfg_acl_unref(struct cfg_acl *acl); /* accepts NULL */

/* All rows of the replica, each read when it has changed. */
struct db_acls;
struct db_acls *db_acls_create(void);
void db_acls_destroy(struct db_acls *acls); /* accepts NULL */
/* The columns are others now: all is to be read anew. */
void db_acls_forget(struct db_acls *acls);
/* Into config->acls. */
struct cfg_switch;
void db_acls_read(struct db_acls *acls, const struct db_columns *columns,
		  const struct ovsdb_client *client, struct cfg_switch *config);

/* Port:other_config:acl-..., storm-..., mac-limit-action. It has its name. */
struct cfg_port;
void config_read_filters(struct cfg_port *port,
			 const struct ovsdb_datum *other);

#endif
