/* A neighbour as JSON, and as text for people (lldp/neighbors). */
#ifndef VSWD_NEIGHBOR_JSON_H
#define VSWD_NEIGHBOR_JSON_H

#include <jansson.h>

#include "discovery/neighbors.h"

struct text;

/* What it says, and how long it has been there; the caller adds the port. */
json_t *neighbor_to_json(const struct neighbor_entry *entry, uint64_t now_ms);
/* Some lines, made of that with "port" and "bridge". */
void neighbor_details(struct text *text, const json_t *json);

#endif
