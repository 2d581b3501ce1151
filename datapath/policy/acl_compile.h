/* A list while it is compiled. Internal to acl_compile.c and acl_fields.c. */
#ifndef POLICY_ACL_COMPILE_H
#define POLICY_ACL_COMPILE_H

#include "policy/acl_internal.h"

struct acl_compiler {
	struct acl *acl;
	struct acl_sets sets;
	struct acl_trie trie;
	struct acl_pages pages;
	uint16_t *classes; /* 65536, for one map after another */
};

typedef bool fits_fn(const struct acl_rule *rule, const void *value);

/* The class of rules that ask for none of these fields (enum acl_field). */
uint16_t acl_class_without(struct acl_compiler *c, unsigned fields);

void acl_make_kinds(struct acl_compiler *c);
/* field: ACL_SRC or ACL_DST */
void acl_make_addresses(struct acl_compiler *c, unsigned field,
			struct acl_addresses *addresses);
/* field: ACL_SPORT or ACL_DPORT */
void acl_make_ports(struct acl_compiler *c, unsigned field,
		    struct acl_l4_map *map);
void acl_make_flags(struct acl_compiler *c);
void acl_make_fragments(struct acl_compiler *c);
void acl_make_vlans(struct acl_compiler *c);
void acl_make_macs(struct acl_compiler *c, struct acl_macs *macs);

#endif
