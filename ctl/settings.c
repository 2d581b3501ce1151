/* What vswd takes in other_config (settings.h); the same as in vswd(8). */
#include "ctl/settings.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/number_pairs.h"
#include "base/util.h"
#include "ctl/ctl.h"

struct setting {
	const char *table, *key;
	long min, max;	     /* a number from min to max, or */
	const char *choices; /* one of these words, separated by spaces, or */
};

/* As choices: "0:2,1:3", numbers up to min before the colon, to max behind. */
static const char pairs[] = "pairs";

static const struct setting settings[] = {
	{ "Open_vSwitch", "n-workers", 1, 64, NULL },
	{ "Open_vSwitch", "poll-idle-us", 0, 1000000, NULL },
	{ "Open_vSwitch", "worker-affinity", 63, 1023, pairs },
	{ "Open_vSwitch", "worker-auto-balance", 0, 0, "true false" },
	{ "Interface", "worker-affinity", 65535, 63, pairs },
	{ "Open_vSwitch", "stats-update-interval", 1000, INT32_MAX, NULL },
	{ "Bridge", "mac-aging-time", 1, 86400 * 365, NULL },
	{ "Bridge", "mac-table-size", 1, 4194304, NULL },
	{ "Bridge", "forward-bpdu", 0, 0, "true false" },
	{ "Port", "mac-table-limit", 1, 4194304, NULL },
	{ "Port", "priority-tags", 0, 0,
	  "no never false if-nonzero true always" },
	{ "Port", "qinq-ethtype", 0, 0, "802.1ad 802.1q" },
};

static bool is_number(const char *value, long min, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	return !errno && end != value && !*end && n >= min && n <= max;
}

static bool is_choice(const char *value, const char *choices)
{
	size_t n = strlen(value);

	for (const char *at = choices; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		if (word == n && !memcmp(at, value, n))
			return true;
		at += word;
	}
	return false;
}

static bool is_pairs(const char *value, unsigned key_max, unsigned value_max)
{
	struct number_pairs parsed;
	bool ok = number_pairs_parse(value, key_max, value_max, &parsed);

	number_pairs_fini(&parsed);
	return ok;
}

static void check_pairs(const struct setting *s, const char *value)
{
	if (!is_pairs(value, s->min, s->max))
		ctl_fatal("other_config:%s of table %s cannot be \"%s\"; it is "
			  "pairs of numbers such as 0:2,1:3, from 0 to %ld "
			  "before the colon and from 0 to %ld behind it",
			  s->key, s->table, value, s->min, s->max);
}

static void check(const struct setting *s, const char *value)
{
	if (s->choices == pairs) {
		check_pairs(s, value);
		return;
	}
	if (s->choices && !is_choice(value, s->choices))
		ctl_fatal("other_config:%s of table %s cannot be \"%s\"; it is "
			  "one of: %s",
			  s->key, s->table, value, s->choices);
	if (!s->choices && !is_number(value, s->min, s->max))
		ctl_fatal("other_config:%s of table %s cannot be \"%s\"; it is "
			  "a number from %ld to %ld",
			  s->key, s->table, value, s->min, s->max);
}

void settings_check(const char *table, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];

		if (!strcmp(s->table, table) && !strcmp(s->key, key))
			check(s, value);
	}
}
