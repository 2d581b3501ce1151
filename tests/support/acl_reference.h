/*
 * An access list as vswd(8) describes it, one rule after another: what
 * the compiled one is compared with.
 */
#ifndef TESTS_ACL_REFERENCE_H
#define TESTS_ACL_REFERENCE_H

#include "policy/acl.h"

/*
 * Judges the first n bytes of a frame of so many. *decided: the index of the
 * rule, n_rules: none. Rules are sorted.
 */
enum acl_verdict acl_reference(const struct acl_rule rules[], unsigned n_rules,
			       bool allow, const uint8_t *frame, size_t n,
			       uint16_t vid, unsigned *decided);

#endif
