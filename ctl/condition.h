/* Conditions of find and wait-until: "COLUMN[:KEY]OPERATOR VALUE". */
#ifndef CTL_CONDITION_H
#define CTL_CONDITION_H

#include "ctl/record.h"

struct condition;

/* Ends the program with a message when the argument is no condition. */
struct condition *condition_parse(struct ctl *ctl,
				  const struct ovsdb_table_schema *table,
				  const char *argument);
void condition_destroy(struct condition *condition);

const struct ovsdb_column *condition_column(const struct condition *);
bool condition_holds(const struct condition *condition, struct view_row *row);

#endif
