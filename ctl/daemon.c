/*
 * Commands for the running vswd: passed to its control socket as they are, the
 * answer printed as it comes. "capture" alone does more with it (capture.c).
 */
#include "ctl/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"
#include "ctl/capture.h"
#include "ctl/ctl.h"
#include "ctl/events.h"
#include "ctl/table.h"
#include "ctl/trace.h"
#include "ovsdb-lite/control_client.h"

/* After "exit": how long its end is waited for. */
#define END_TRIES    2000
#define END_PAUSE_US 5000

const struct daemon_command daemon_commands[] = {
	{ "fdb/show", "BRIDGE", "print the learned and static addresses" },
	{ "fdb/add", "BRIDGE PORT VLAN MAC", "add a static address" },
	{ "fdb/del", "BRIDGE VLAN MAC", "delete an address" },
	{ "fdb/flush", "[BRIDGE [port=PORT] [vlan=VLAN]]",
	  "forget learned addresses" },
	{ "fdb/stats-show", "BRIDGE", "print the address table's counters" },
	{ "bridge/show", "[BRIDGE]", "print bridges and the state of ports" },
	{ "port/stats", "[PORT]...", "print the ports' counters" },
	{ "fastpath/show", "[BRIDGE]",
	  "print which ports' frames the kernel forwards, why not others'" },
	{ "drops", "[BRIDGE|PORT]", "print dropped packets by reason" },
	{ "bond/list", "", "print the bonds, a line each" },
	{ "bond/show", "[PORT]", "print the state of bonds and their members" },
	{ "bond/set-active-member", "PORT MEMBER",
	  "make a member the active one" },
	{ "bond/enable-member", "PORT MEMBER", "let a member be used again" },
	{ "bond/disable-member", "PORT MEMBER", "use a member no more" },
	{ "bond/migrate", "PORT HASH MEMBER",
	  "give a bucket of flows to a member" },
	{ "bond/hash", "MAC [VLAN] [BASIS]",
	  "print the bucket of a source address" },
	{ "lacp/show", "[PORT]", "print what LACP knows of both sides" },
	{ "lacp/show-stats", "[PORT]", "print LACP's counters" },
	{ "lldp/neighbors", "[PORT]",
	  "print who is at the other end, by LLDP and CDP" },
	{ "lldp/stats", "[PORT]", "print LLDP's and CDP's counters" },
	{ "guard/show", "[PORT]",
	  "print what ports' machines may say, leases, violations" },
	{ "mirror/show", "[BRIDGE]",
	  "print mirrors: what they select, where to, counters" },
	{ "acl/show", "[NAME]",
	  "print access lists and how often each rule has decided" },
	{ "vtep/show", "[BRIDGE|PORT]",
	  "print VXLAN ports: remote VTEPs, VNIs, counters" },
	{ "segment/show", "[SEGMENT]",
	  "print segments: addresses, services, counters" },
	{ "segment/neighbors", "SEGMENT",
	  "print the machines that the gateway knows" },
	{ "nat/show", "SEGMENT [FILTER...]", "print the NAT's sessions" },
	{ "nat/flush", "SEGMENT [FILTER...]", "end sessions" },
	{ "nat/stats", "[SEGMENT]", "print the NAT's counters" },
	{ "log/set", "SPEC...", "set log levels, e.g. bridge:dbg" },
	{ "log/list", "", "print log modules and their levels" },
	{ "worker/clear", "", "count for worker/show from now on" },
	{ "worker/show", "", "print the worker threads and their queues" },
	{ "qos/show", "[PORT]", "print shaped ports, their queues and delays" },
	{ "vhost/show", "[PORT]", "print vhost-user ports and their rings" },
	{ "trace",
	  "BRIDGE in_port=PORT[,FIELD=VALUE...] [HEX|pcap:FILE[:N]] "
	  "[--commit]",
	  "print the way that a frame would take, and why" },
	{ "capture", "BRIDGE|PORT [FILTER...] [-w FILE|-] [-c COUNT]",
	  "capture packets, printed or as pcapng" },
	{ "events", "[BRIDGE|PORT] [--kind=A,B] [--after=ID] [--follow]",
	  "print what happened, and go on" },
	{ "list-commands", "", "print all commands that vswd knows" },
	{ "version", "", "print vswd's version" },
	{ "exit", "[--keep]",
	  "end vswd; --keep: for another to take over what forwards" },
};
const size_t n_daemon_commands = ARRAY_SIZE(daemon_commands);

bool daemon_has_command(const char *name)
{
	for (size_t i = 0; i < n_daemon_commands; i++)
		if (!strcmp(daemon_commands[i].name, name))
			return true;
	return strchr(name, '/') && *name != '/' && *name != '-' &&
	       !ctl_find_command(name);
}

static char *socket_path(const struct ctl_options *options)
{
	return xasprintf("%s/vswd.ctl", options->run_dir);
}

/*
 * "; did you mean ...": of all commands that vswd lists, each in a line of its
 * own behind spaces, with its arguments.
 */
static void suggest_command(const struct ctl_options *options, const char *name,
			    char *buf, size_t size)
{
	const char *const argv[] = { "list-commands" };
	char *path = socket_path(options), *text = NULL, *error = NULL;
	char *rest, *line;
	struct suggestion s;

	buf[0] = '\0';
	suggestion_init(&s, name);
	if (!control_call(path, 1, argv, options->timeout_s * 1000, &text, NULL,
			  NULL, &error)) {
		rest = text;
		while ((line = strsep(&rest, "\n"))) {
			if (*line != ' ')
				continue;
			line += strspn(line, " ");
			line[strcspn(line, " ")] = '\0';
			suggestion_offer(&s, line);
		}
		suggestion_phrase(&s, buf, size);
	}
	free(text);
	free(error);
	free(path);
}

/* What vswd answered instead of a reply. */
static void warn_refused(const struct ctl_options *options, int argc,
			 const char *const argv[], const char *text)
{
	const char *on = argc > 1 ? argv[1] : "";
	char hint[128] = "";

	if (strstr(text, "is not a valid command"))
		suggest_command(options, argv[0], hint, sizeof(hint));
	if (*hint) {
		ctl_warn("unknown command '%s'%s", argv[0], hint);
		return;
	}
	if (*on == '-' || strstr(text, on))
		on = "";
	ctl_warn("%s%s%s: %s", argv[0], *on ? " " : "", on, text);
}

int daemon_call(const struct ctl_options *options, int argc,
		const char *const argv[], char **text, int *fd, size_t *n_more)
{
	char *path = socket_path(options);
	char *error = NULL;
	int status;

	status = control_call(path, argc, argv, options->timeout_s * 1000, text,
			      fd, n_more, &error);
	if (status == -EREMOTEIO) {
		warn_refused(options, argc, argv, *text);
		free(*text);
	} else if (status == -ENOENT || status == -ECONNREFUSED) {
		ctl_warn("vswd is not running: cannot connect to unix:%s (%s); "
			 "start it with \"vswd\" or give --run-dir",
			 path, strerror(-status));
	} else if (status) {
		ctl_warn("%s: %s", argv[0], error);
	}
	free(error);
	free(path);
	return status;
}

/* Its pid file is locked as long as it lives. -1: it is not to be found. */
static int open_pidfile(const struct ctl_options *options)
{
	char *path = xasprintf("%s/vswd.pid", options->run_dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	free(path);
	return fd;
}

/* So that it can be started anew when "exit" has returned. */
static void wait_for_end(int pidfile)
{
	for (unsigned i = 0; i < END_TRIES; i++) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

		if (fcntl(pidfile, F_GETLK, &lock) < 0 ||
		    lock.l_type == F_UNLCK)
			return;
		usleep(END_PAUSE_US);
	}
	ctl_warn("exit: vswd has not ended yet");
}

static void refuse_of_exit(const char *word)
{
	struct suggestion s;
	char hint[80];

	suggestion_init(&s, word);
	suggestion_offer(&s, "--keep");
	suggestion_offer(&s, "--cleanup");
	ctl_fatal("exit takes no option %s%s", word,
		  suggestion_phrase(&s, hint, sizeof(hint)));
}

/* Options of ours stand before the command; vswd's commands have hardly any. */
static void check_words(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (!strcmp(word, "--help") || !strcmp(word, "-h"))
			ctl_fatal("%s takes no option %s; \"vsw-ctl help %s\" "
				  "says what it takes",
				  argv[0], word, argv[0]);
		if (strncmp(word, "--", 2) || !strncmp(word, "--format=", 9) ||
		    (!strcmp(argv[0], "exit") &&
		     (!strcmp(word, "--cleanup") || !strcmp(word, "--keep"))) ||
		    (!strcmp(argv[0], "trace") && !strcmp(word, "--commit")))
			continue;
		if (!strcmp(argv[0], "exit"))
			refuse_of_exit(word);
		ctl_fatal("%s takes no option %s; options stand before the "
			  "command: \"vsw-ctl [OPTION]... %s\"",
			  argv[0], word, argv[0]);
	}
}

/* It answers as text or as JSON, whatever tables of the database can be. */
static void check_style(const struct ctl_options *options, const char *name)
{
	bool json =
		options->format_given && options->style.format == TABLE_JSON;

	if (options->format_given && !json)
		ctl_fatal("%s answers as text, or as JSON with --format=json; "
			  "there is no other format of it",
			  name);
	if (options->style.pretty && !json)
		ctl_fatal("%s: --pretty is for JSON; it needs --format=json",
			  name);
}

static void print_answer(const struct ctl_options *options, const char *text)
{
	json_t *json = options->style.pretty
			       ? json_loads(text, JSON_DECODE_ANY, NULL)
			       : NULL;

	if (json) {
		json_print(json, true, stdout);
		json_decref(json);
		return;
	}
	fputs(text, stdout);
	if (*text && text[strlen(text) - 1] != '\n')
		putchar('\n');
}

int daemon_run(const struct ctl_options *options, int argc, char **argv)
{
	bool ends = !strcmp(argv[0], "exit");
	bool is_trace = !strcmp(argv[0], "trace");
	int status, pidfile, n = 0;
	const char **words;
	char *text;

	check_style(options, argv[0]);
	if (!strcmp(argv[0], "capture"))
		return capture_run(options, argc, argv);
	if (!strcmp(argv[0], "events") && events_take_options(argc, argv))
		return events_follow(options, argc, argv);
	check_words(argc, argv);
	words = xcalloc(argc + 2, sizeof(*words));
	for (int i = 0; i < argc; i++)
		words[n++] = is_trace ? trace_argument(argv[i]) : argv[i];
	if (options->format_given && options->style.format == TABLE_JSON)
		words[n++] = "--format=json";
	pidfile = ends ? open_pidfile(options) : -1;
	status = daemon_call(options, n, words, &text, NULL, NULL);
	for (int i = 0; is_trace && i < argc; i++)
		free((char *)words[i]);
	free(words);
	if (pidfile >= 0) {
		if (!status)
			wait_for_end(pidfile);
		close(pidfile);
	}
	if (status)
		return EXIT_FAILURE;
	print_answer(options, text);
	free(text);
	return EXIT_SUCCESS;
}
