/*
 * Private VLANs as text (Bridge:other_config:private-vlans): each primary with
 * its secondary VLANs, "100:isolated=101,community:web=102 200:isolated=201"
 * (RFC 5517). Any thread.
 */
#ifndef BASE_PRIVATE_VLANS_H
#define BASE_PRIVATE_VLANS_H

#include "base/util.h"

#define PRIVATE_VLAN_NAME_MAX 32 /* bytes of a community's name, with 0 */

struct private_vlan {
	uint16_t primary, secondary;	  /* 1 to 4094 */
	char name[PRIVATE_VLAN_NAME_MAX]; /* the community's; "": isolated */
};

struct private_vlans {
	struct private_vlan *vlans;
	size_t n;
};

/*
 * NULL, or what is wrong, in one line that the caller frees; there are none
 * then. To be freed with private_vlans_fini() in any case.
 */
char *private_vlans_parse(const char *text, struct private_vlans *vlans);
void private_vlans_fini(struct private_vlans *vlans);
void private_vlans_clone(struct private_vlans *to,
			 const struct private_vlans *from);
bool private_vlans_equal(const struct private_vlans *a,
			 const struct private_vlans *b);
/* The secondary VLAN of a community ("": of isolated ports); 0: none. */
uint16_t private_vlans_find(const struct private_vlans *vlans, uint16_t primary,
			    const char *name);
/* Whether a community may be called so. */
bool private_vlan_is_name(const char *name);

#endif
