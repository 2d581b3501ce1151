/* Names and explanations of the drop reasons. */
#include "packet/drop.h"

#include "base/util.h"

static const struct {
	const char *name, *help;
} reasons[N_DROP_REASONS] = {
#define X(ID, NAME, HELP) [DROP_##ID] = { NAME, HELP },
	DROP_REASONS(X)
#undef X
};

const char *drop_reason_name(enum drop_reason reason)
{
	return (unsigned)reason < N_DROP_REASONS ? reasons[reason].name
						 : "unknown";
}

const char *drop_reason_help(enum drop_reason reason)
{
	return (unsigned)reason < N_DROP_REASONS ? reasons[reason].help
						 : "unknown reason";
}
