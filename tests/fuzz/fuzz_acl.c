/*
 * A compiled access list beside a plain one: the input is rules, up to a line
 * that is empty, and behind it a frame.
 */
#include <stdio.h>

#include "fuzz_input.h"
#include "packet/parse.h"
#include "policy/acl.h"
#include "tests/support/acl_reference.h"

#define RULES_MAX 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct acl_rule rules[RULES_MAX];

/* The next line, or NULL; false length: an empty one. */
static char *take_line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
	size_t n = end ? (size_t)(end - *data) : *size;
	char *line = malloc(n + 1);

	if (n)
		memcpy(line, *data, n);
	line[n] = 0;
	n += end != NULL;
	*data += n;
	*size -= n;
	return line;
}

static unsigned take_rules(const uint8_t **data, size_t *size)
{
	unsigned n = 0;

	while (*size && n < RULES_MAX) {
		char *line = take_line(data, size), *why;
		bool ends = !*line;

		rules[n].order = n + 1;
		why = acl_rule_parse(&rules[n], line);
		n += !why;
		free(why);
		free(line);
		if (ends)
			break;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum acl_verdict got, want;
	unsigned n, decided, by;
	struct fuzz_packet f;
	struct acl *acl;
	char *why = NULL;
	uint8_t how[3];

	fuzz_take(&data, &size, how, sizeof(how));
	n = take_rules(&data, &size);
	acl = acl_create(rules, n, how[0] & 1, 1, &why);
	if (!acl || size < ETH_HEADER_LEN) {
		acl_destroy(acl);
		free(why);
		return 0;
	}
	want = acl_reference(rules, n, how[0] & 1, data,
			     MIN(size, (size_t)PACKET_PULL_MAX), how[1],
			     &decided);
	fuzz_packet_init(&f, data, size, how[2], false);
	packet_pull_first(&f.p);
	got = acl_judge(acl, &f.p, how[1], 0);
	MUST(got == want);
	MUST(acl_explain(acl, &f.p, how[1], &by) == want && by == decided);
	MUST(acl_hits(acl, got == ACL_UNREADABLE ? n + 1 : decided) == 1);
	fuzz_packet_fini(&f);
	acl_destroy(acl);
	return 0;
}
