/*
 * What people are told where the fast path cannot be had. Each case is a
 * process of its own, which gives up what it takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cap-ng.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fastpath/fastpath_internal.h"

#define SENTENCE_SIZE 512

/* Runs `give_up`, then asks; "" when it can be had, or cannot be tried. */
static void ask(void (*give_up)(void), const char *run_dir,
		char sentence[SENTENCE_SIZE])
{
	ssize_t n;
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		char *why = NULL;

		if (give_up)
			give_up();
		fastpath_destroy(fastpath_create(run_dir, &why));
		if (why && write(ends[1], why, strlen(why)) < 0)
			_exit(1);
		free(why);
		_exit(0);
	}
	close(ends[1]);
	n = read(ends[0], sentence, SENTENCE_SIZE - 1);
	sentence[n < 0 ? 0 : n] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void assert_says(const char *sentence, const char *what)
{
	if (!strstr(sentence, what))
		fail_msg("\"%s\" does not say \"%s\"", sentence, what);
	/* Others go on from here: no line's end, no full stop. */
	assert_null(strchr(sentence, '\n'));
	assert_int_not_equal(sentence[strlen(sentence) - 1], '.');
}

static void keep_only(capng_type_t type, int capability)
{
	capng_get_caps_process();
	capng_clear(CAPNG_SELECT_CAPS);
	capng_update(CAPNG_ADD, type, capability);
	if (capng_apply(CAPNG_SELECT_CAPS))
		_exit(0);
}

static void keep_net_admin(void)
{
	keep_only(CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
}

static void keep_bpf(void)
{
	keep_only(CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF);
}

static void test_capabilities(void **state)
{
	char sentence[SENTENCE_SIZE];

	if (getuid())
		skip();
	ask(keep_net_admin, "/", sentence);
	assert_says(sentence, "without CAP_BPF");
	ask(keep_bpf, "/", sentence);
	assert_says(sentence, "without CAP_NET_ADMIN");
}

static void enter_user_namespace(void)
{
	if (unshare(CLONE_NEWUSER))
		_exit(0);
}

static void test_user_namespace(void **state)
{
	char sentence[SENTENCE_SIZE];

	ask(enter_user_namespace, "/", sentence);
	if (!*sentence)
		skip(); /* nobody may make one here */
	assert_says(sentence, "user namespace");
}

static void open_nothing_more(void)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0 });
}

static void test_run_dir(void **state)
{
	char sentence[SENTENCE_SIZE];

	ask(NULL, "/nowhere/to/be/found", sentence);
	assert_says(sentence, "/nowhere/to/be/found: No such file");
}

static void test_no_descriptors(void **state)
{
	char sentence[SENTENCE_SIZE];

	if (getuid())
		skip();
	ask(open_nothing_more, "/", sentence);
	assert_says(sentence, "Too many open files");
}

static void test_kernels(void **state)
{
	static const struct {
		int error;
		const char *what;
	} cases[] = {
		{ -ENOSYS, "CONFIG_BPF_SYSCALL" },
		{ -ENOMEM, "no memory" },
		{ -EINVAL, "does not take the programs" },
		{ -EIO, "Input/output error" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *why = fastpath_why_not_loaded(cases[i].error);

		assert_says(why, cases[i].what);
		free(why);
	}
}

/* As libbpf shows a verifier's log. */
static void test_verifier(void **state)
{
	char *why;

	fastpath_note_objection("libbpf: of something else\nprocessed 1\n");
	fastpath_note_objection(
		"libbpf: prog 'fp_egress': -- BEGIN PROG LOAD LOG --\n"
		"7: (7b) *(u64 *)(r10 -8) = r1\n"
		"attempt to corrupt spilled pointer on stack\n"
		"processed 8 insns (limit 1000000) max_states_per_insn 0\n"
		"-- END PROG LOAD LOG --\n");
	why = fastpath_why_not_loaded(-EACCES);
	assert_says(why, "programs: attempt to corrupt spilled pointer");
	free(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_user_namespace),
		cmocka_unit_test(test_run_dir),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_kernels),
		cmocka_unit_test(test_verifier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
