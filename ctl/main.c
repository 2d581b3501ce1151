/*
 * vsw-ctl: shows and changes the configuration of vswd through its database,
 * with the command line of ovs-vsctl, and asks vswd itself about the rest.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/commandline.h"
#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/help.h"
#include "ctl/rpc.h"
#include "ctl/view.h"

/* --timeout: says so, and dies as ovs-vsctl does, by the signal. */
static void on_alarm(int signal_number)
{
	static const char text[] =
		"vsw-ctl: timed out: no answer within --timeout seconds\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)ignored;
	signal(SIGALRM, SIG_DFL);
	raise(SIGALRM);
}

static void set_timeout(unsigned int timeout_s)
{
	const struct sigaction action = { .sa_handler = on_alarm,
					  .sa_flags = SA_RESETHAND };

	if (!timeout_s)
		return;
	sigaction(SIGALRM, &action, NULL);
	alarm(timeout_s);
}

/* The command line in one, for the database's log. */
static char *join_words(int argc, char **argv)
{
	char *text, *s;
	size_t len = 1;

	for (int i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	s = text = xmalloc(len);
	*s = '\0';
	for (int i = 0; i < argc; i++)
		s += sprintf(s, "%s%s", i ? " " : "", argv[i]);
	return text;
}

static int run_commands(struct ctl *ctl, int argc, char **argv)
{
	char *error = NULL;

	if (commandline_parse(argc, argv, &ctl->commands, &ctl->n_commands,
			      &error))
		ctl_fatal_error(error);
	ctl->rpc = rpc_open(&ctl->options, &error);
	if (!ctl->rpc)
		ctl_fatal_error(error);
	ctl->view = view_create(ctl->rpc);
	ctl_run(ctl);
	return ctl->exit_status;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	switch (ctl->options.action) {
	case CTL_HELP:
		return help(NULL);
	case CTL_VERSION:
		printf("vsw-ctl %s\n", VSW_VERSION);
		return EXIT_SUCCESS;
	case CTL_LIST_COMMANDS:
		help_list_commands();
		return EXIT_SUCCESS;
	case CTL_LIST_OPTIONS:
		ctl_options_list();
		return EXIT_SUCCESS;
	case CTL_LIST_SCHEMA:
		help_list_schema(ctl_tables(ctl));
		return EXIT_SUCCESS;
	case CTL_LIST_SETTINGS:
		help_list_settings();
		return EXIT_SUCCESS;
	case CTL_RUN:
		break;
	}
	if (argc && !strcmp(argv[0], "help"))
		return help(argc > 1 ? argv[1] : NULL);
	if (argc && daemon_has_command(argv[0]))
		return daemon_run(&ctl->options, argc, argv);
	return run_commands(ctl, argc, argv);
}

/* Whether the output is a pipe to who has seen enough, as head(1). */
static bool reader_is_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&out, 1, 0) > 0 && out.revents & POLLERR;
}

int main(int argc, char *argv[])
{
	struct ctl ctl = { .exit_status = EXIT_SUCCESS };
	char *error = NULL, *comment = join_words(argc, argv);
	int next, status;

	log_init("vsw-ctl");
	signal(SIGPIPE, SIG_IGN);
	ctl.comment = comment;
	if (ctl_options_parse(&ctl.options, argc, argv,
			      commandline_option_words, &next, &error))
		ctl_fatal_error(error);
	set_timeout(ctl.options.timeout_s);
	status = run(&ctl, argc - next, argv + next);
	if (fflush(stdout) || ferror(stdout)) {
		if (!reader_is_gone())
			ctl_warn("writing the output failed");
		status = EXIT_FAILURE;
	}
	/*
	 * Nothing is torn down: with thousands of rows that would take as long
	 * as the work itself, and the process is over anyway.
	 */
	_exit(status);
}
