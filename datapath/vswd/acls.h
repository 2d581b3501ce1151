/*
 * The access lists that ports may have: from rows of table ACL to what workers
 * ask (policy/acl.h), with the counts of their rules, which go on as long as a
 * rule stays the same. Control thread.
 *
 * A port whose list does not exist lets nothing pass: who misspells a name does
 * not open it. Of a list of which a rule is wrong the last version that was
 * right stays in force, and while there was none it lets nothing pass.
 */
#ifndef VSWD_ACLS_H
#define VSWD_ACLS_H

#include <jansson.h>

#include "ovsdb-lite/schema.h"
#include "policy/acl.h"
#include "vswd/config_acl.h"

struct cfg_port;
struct vport;
struct vswitch;

struct vacl {
	struct vacl *next;
	struct cfg_acl *config;	  /* a reference: what the database says */
	struct cfg_acl *in_force; /* a reference: what acl was made of */
	struct acl *acl;
	uint64_t *before; /* counted by lists that this one replaces */
	char *error;	  /* why config is not in force, or NULL */
	bool met;
	json_t *told, *told_stats; /* the database */
};

/* Makes the lists what the configuration says; NULL: there are none. */
void acls_reconcile(struct vswitch *vs, const struct cfg_switch *config);
/* All ports have their configuration: their errors follow. */
void acls_check_ports(struct vswitch *vs);
/* No worker has an older snapshot: what was replaced is freed. */
void acls_published(struct vswitch *vs);
void acls_end(struct vswitch *vs);

/* The list for a port under that name; never NULL when there is a name. */
const struct acl *acls_get(struct vswitch *vs, const char *name);
struct vacl *acls_find(const struct vswitch *vs, const char *name);
/* As acl_hits(), with what was counted before. */
uint64_t vacl_hits(const struct vacl *v, unsigned i);

/* What the database is told: errors, and with `stats` the counts. */
void acl_rows_collect(struct vswitch *vs, const struct ovsdb_schema *schema,
		      json_t *operations, bool stats);
void acl_rows_forget(struct vswitch *vs);

#endif
