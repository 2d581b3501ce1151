#include "base/private_vlans.h"

#include <stdlib.h>
#include <string.h>

#define VID_MAX 4094 /* 4095 is reserved (IEEE 802.1Q table 9-2) */

bool private_vlan_is_name(const char *name)
{
	size_t n = strlen(name);

	return n && n < PRIVATE_VLAN_NAME_MAX && n == strcspn(name, ",:;= \t");
}

/* A VLAN id that is all of the text; 0: it is none. */
static uint16_t parse_vid(const char *text)
{
	unsigned vid = 0;

	for (; *text >= '0' && *text <= '9' && vid <= VID_MAX; text++)
		vid = vid * 10 + (*text - '0');
	return *text || vid > VID_MAX ? 0 : vid;
}

/* Why the VLAN cannot be one more secondary, or NULL. */
static char *check(const struct private_vlans *vlans,
		   const struct private_vlan *new)
{
	if (new->primary == new->secondary)
		return xasprintf("VLAN %u is primary and secondary",
				 new->primary);
	for (size_t i = 0; i < vlans->n; i++) {
		const struct private_vlan *v = &vlans->vlans[i];

		if (v->secondary == new->secondary)
			return xasprintf("VLAN %u is secondary twice",
					 new->secondary);
		if (v->secondary == new->primary ||
		    v->primary == new->secondary)
			return xasprintf("VLAN %u is primary and secondary",
					 v->secondary == new->primary
						 ? new->primary
						 : new->secondary);
		if (v->primary == new->primary && !strcmp(v->name, new->name))
			return xasprintf(
				"primary VLAN %u has %s%s twice", new->primary,
				*v->name ? "community:" : "isolated", v->name);
	}
	return NULL;
}

/* "isolated=VLAN" or "community:NAME=VLAN". */
static char *add(struct private_vlans *vlans, uint16_t primary, char *text)
{
	static const char prefix[] = "community:";
	struct private_vlan v = { .primary = primary };
	char *value = strchr(text, '='), *why;

	if (value)
		*value++ = '\0';
	v.secondary = value ? parse_vid(value) : 0;
	if (!v.secondary)
		return xasprintf("%s has no VLAN from 1 to %d behind a \"=\"",
				 text, VID_MAX);
	if (!strncmp(text, prefix, strlen(prefix)) &&
	    private_vlan_is_name(text + strlen(prefix)))
		strcpy(v.name, text + strlen(prefix));
	else if (strcmp(text, "isolated"))
		return xasprintf("\"%s\" is neither isolated nor "
				 "community:NAME",
				 text);
	why = check(vlans, &v);
	if (why)
		return why;
	vlans->vlans = xrealloc(vlans->vlans, (vlans->n + 1) * sizeof(v));
	vlans->vlans[vlans->n++] = v;
	return NULL;
}

/* "PRIMARY:SECONDARY,SECONDARY..." */
static char *add_primary(struct private_vlans *vlans, char *text)
{
	char *rest = strchr(text, ':'), *word, *why = NULL;
	uint16_t primary;

	if (rest)
		*rest++ = '\0';
	primary = parse_vid(text);
	if (!primary || !rest)
		return xasprintf("\"%s\" is no primary VLAN from 1 to %d with "
				 "a colon behind it",
				 text, VID_MAX);
	while (!why && (word = strsep(&rest, ",")))
		why = add(vlans, primary, word);
	return why;
}

char *private_vlans_parse(const char *text, struct private_vlans *vlans)
{
	char *copy = xstrdup(text), *rest = copy, *word, *why = NULL;

	*vlans = (struct private_vlans){ 0 };
	while (!why && (word = strsep(&rest, "; \t")))
		if (*word)
			why = add_primary(vlans, word);
	free(copy);
	if (why)
		private_vlans_fini(vlans);
	return why;
}

void private_vlans_fini(struct private_vlans *vlans)
{
	free(vlans->vlans);
	*vlans = (struct private_vlans){ 0 };
}

void private_vlans_clone(struct private_vlans *to,
			 const struct private_vlans *from)
{
	*to = (struct private_vlans){ .n = from->n };
	if (!from->n)
		return;
	to->vlans = xcalloc(from->n, sizeof(*to->vlans));
	memcpy(to->vlans, from->vlans, from->n * sizeof(*to->vlans));
}

bool private_vlans_equal(const struct private_vlans *a,
			 const struct private_vlans *b)
{
	return a->n == b->n &&
	       (!a->n || !memcmp(a->vlans, b->vlans, a->n * sizeof(*a->vlans)));
}

uint16_t private_vlans_find(const struct private_vlans *vlans, uint16_t primary,
			    const char *name)
{
	for (size_t i = 0; i < vlans->n; i++)
		if (vlans->vlans[i].primary == primary &&
		    !strcmp(vlans->vlans[i].name, name))
			return vlans->vlans[i].secondary;
	return 0;
}
