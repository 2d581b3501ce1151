/*
 * What commands list that are ours alone: a table with aligned columns unless
 * --format asks for another, and with --format=json an array of objects.
 */
#ifndef CTL_LISTING_H
#define CTL_LISTING_H

#include <jansson.h>

struct ctl_command;

/* headings end with NULL. */
void listing_begin(struct ctl_command *cmd, const char *const headings[]);
void listing_row(struct ctl_command *cmd);
/*
 * The next cell of the last row, in the order of the headings. Takes over the
 * value; NULL is nothing.
 */
void listing_cell(struct ctl_command *cmd, const char *heading, json_t *value);

#endif
