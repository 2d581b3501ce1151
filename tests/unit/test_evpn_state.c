/* How vswd says that FRR is not there (vswd/overlay_evpn_json.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vswd/overlay_evpn_internal.h"

static void says(const struct evpn_absence *absence, const char *what,
		 const char *not_that)
{
	char *text = evpn_describe_gone(absence);

	assert_non_null(strstr(text, what));
	assert_non_null(strstr(text, "no bgpd answers in /run/frr"));
	assert_null(strstr(text, not_that));
	free(text);
}

static void test_three_states(void **state)
{
	struct evpn_absence absence = {
		.missing = "bgpd",
		.directory = "/run/frr",
		.clock_s = 86400 - 10,
	};

	says(&absence, "not seen yet", "gone");
	absence.seen = true;
	says(&absence, "forgotten", "held for");
	absence.left_s = 71;
	says(&absence, "held for 71 s more (until 00:01:01 UTC)", "forgotten");
	/* A former vswd has left what a former FRR had said. */
	absence.seen = false;
	says(&absence, "held for 71 s more", "not seen");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
