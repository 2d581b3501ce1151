/* What view.c and view_row.c share. */
#ifndef CTL_VIEW_PRIVATE_H
#define CTL_VIEW_PRIVATE_H

#include "ctl/view.h"

/* The row of that UUID if the view has it, also when it was deleted. */
struct view_row *view_lookup(struct view *view, const char *uuid);
/* A new row, which the view must not have yet. */
struct view_row *view_add_row(struct view *view, const char *table,
			      const char *uuid);

#endif
