/* vsw-ctl's command line: global options, commands, what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/commandline.h"
#include "base/suggest.h"

#define MAX_WORDS 32

/* A command line taken apart into words, as main() gets it. */
struct line {
	char *text;
	char *argv[MAX_WORDS + 1];
	int argc;
	struct ctl_options options;
	struct ctl_command *commands;
	size_t n;
	char *error;
};

/* Parses; true when all of it is right. */
static bool parse(struct line *l, const char *text)
{
	char *save = NULL, *word;
	int next;
	bool ok;

	memset(l, 0, sizeof(*l));
	l->text = xstrdup(text);
	l->argv[l->argc++] = (char *)"vsw-ctl";
	for (word = strtok_r(l->text, " ", &save); word && l->argc < MAX_WORDS;
	     word = strtok_r(NULL, " ", &save))
		l->argv[l->argc++] = word;
	ok = !ctl_options_parse(&l->options, l->argc, l->argv,
				commandline_option_words, &next, &l->error);
	return ok && !commandline_parse(l->argc - next, l->argv + next,
					&l->commands, &l->n, &l->error);
}

static void done(struct line *l)
{
	commandline_free(l->commands, l->n);
	ctl_options_destroy(&l->options);
	free(l->error);
	free(l->text);
}

/* The line must be refused with a message that has these words. */
static void refused(const char *text, const char *words)
{
	struct line l;

	assert_false(parse(&l, text));
	assert_non_null(l.error);
	if (!strstr(l.error, words))
		fail_msg("%s: %s", text, l.error);
	assert_null(strchr(l.error, '\n'));
	done(&l);
}

static void test_globals(void **state)
{
	struct line l;

	assert_true(parse(&l, "--db=tcp:h:1 -t5 --no-wait --dry-run --oneline "
			      "-f csv -dbare --no-headings --retry list-br"));
	assert_string_equal(l.options.db, "tcp:h:1");
	assert_int_equal(l.options.timeout_s, 5);
	assert_true(l.options.no_wait && l.options.dry_run &&
		    l.options.oneline && l.options.retry);
	assert_int_equal(l.options.style.format, TABLE_CSV);
	assert_int_equal(l.options.style.data, TABLE_DATA_BARE);
	assert_false(l.options.style.headings);
	done(&l);
}

static void test_defaults(void **state)
{
	struct line l;

	unsetenv("VSW_RUNDIR");
	assert_true(parse(&l, "list-br"));
	assert_string_equal(l.options.db, "unix:/run/vsw/db.sock");
	done(&l);
	assert_true(parse(&l, "--run-dir /x/ list-br"));
	assert_string_equal(l.options.db, "unix:/x/db.sock");
	done(&l);
	setenv("VSW_RUNDIR", "/y", 1);
	assert_true(parse(&l, "--no-head list-br"));
	assert_string_equal(l.options.db, "unix:/y/db.sock");
	assert_false(l.options.style.headings);
	done(&l);
	unsetenv("VSW_RUNDIR");
}

static void test_bare(void **state)
{
	struct line l;

	assert_true(parse(&l, "--bare --columns name list port"));
	assert_int_equal(l.options.style.format, TABLE_LIST);
	assert_int_equal(l.options.style.data, TABLE_DATA_BARE);
	assert_int_equal(l.n, 1);
	assert_string_equal(ctl_option(&l.commands[0], "--columns"), "name");
	assert_int_equal(l.commands[0].argc, 2);
	done(&l);
}

static void test_commands(void **state)
{
	struct line l;

	assert_true(parse(&l, "--may-exist --no-wait add-br b -- --if-exists "
			      "del-port b p -- --id=@q create qos a=b --"));
	assert_true(l.options.no_wait);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.commands[0].class->name, "add-br");
	assert_true(ctl_has_option(&l.commands[0], "--may-exist"));
	assert_string_equal(l.commands[1].argv[2], "p");
	assert_true(ctl_has_option(&l.commands[1], "--if-exists"));
	assert_false(ctl_has_option(&l.commands[1], "--with-iface"));
	assert_string_equal(ctl_option(&l.commands[2], "--id"), "@q");
	done(&l);
}

static void test_wrong(void **state)
{
	refused("", "missing command name");
	refused("--", "missing command name");
	refused("-- --if-exists", "missing command name");
	refused("lst-br", "did you mean \"list-br\"");
	refused("list-br -- nope", "unknown command 'nope'");
	refused("list-br x", "takes at most 0 arguments");
	refused("list-br --format=json", "before the command");
	refused("del-br", "requires at least 1 argument:");
	refused("--may-exist list-br", "no option '--may-exist'");
	refused("-- --may-exist=1 add-br b", "takes no argument");
	refused("-- --id", "missing command name");
	refused("--nope list-br", "unrecognized option '--nope'");
	refused("--tiemout=5 list-br", "did you mean \"timeout\"");
	refused("-X list-br", "unrecognized option '-X'");
	refused("--timeout=x list-br", "whole number");
	refused("--timeout", "needs an argument");
	refused("-t", "needs an argument");
	refused("--no-wait=1 list-br", "takes no argument");
	refused("-f pdf list-br", "table, list, csv, html or json");
	refused("-d pdf list-br", "string, bare or json");
	refused("-vnonsense list-br", "nonsense");
}

static void test_every_command_is_complete(void **state)
{
	const struct ctl_command_group *groups;
	size_t n;

	groups = ctl_command_groups(&n);
	for (size_t g = 0; g < n; g++) {
		for (size_t i = 0; i < groups[g].n; i++) {
			const struct ctl_command_class *c =
				&groups[g].classes[i];

			assert_ptr_equal(ctl_find_command(c->name), c);
			assert_true(c->run && c->help && c->args && c->options);
			assert_true(c->min_args <= c->max_args);
		}
	}
}

static void test_suggestions(void **state)
{
	struct suggestion s;
	char buf[64];

	assert_int_equal(edit_distance("", ""), 0);
	assert_int_equal(edit_distance("abc", "abc"), 0);
	assert_int_equal(edit_distance("abc", "acb"), 1);
	assert_int_equal(edit_distance("abc", ""), 3);
	assert_int_equal(edit_distance("kitten", "sitting"), 3);
	suggestion_init(&s, "brigde");
	suggestion_offer(&s, "port");
	assert_string_equal(suggestion_phrase(&s, buf, sizeof(buf)), "");
	suggestion_offer(&s, "bridge");
	assert_string_equal(suggestion_phrase(&s, buf, sizeof(buf)),
			    "; did you mean \"bridge\"?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_globals),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_bare),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_every_command_is_complete),
		cmocka_unit_test(test_suggestions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
