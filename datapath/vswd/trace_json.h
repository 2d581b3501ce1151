/* What a trace has recorded, as JSON and as text for people. */
#ifndef VSWD_TRACE_JSON_H
#define VSWD_TRACE_JSON_H

#include <jansson.h>

#include "forward/trace.h"
#include "vswd/commands.h"

/* {"steps": [...], "outputs": [...], "drops": [...]} */
json_t *trace_to_json(const struct trace *trace);
/* Of such JSON; with "committed", too. */
void trace_json_to_text(struct text *text, const json_t *json);

#endif
