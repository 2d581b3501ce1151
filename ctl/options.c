/*
 * The global options. They stand before the first command; options of that
 * command may stand among them, as in "vsw-ctl --may-exist --no-wait add-br b".
 */
#include "ctl/options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/suggest.h"

#define DEFAULT_RUN_DIR "/run/vsw"

enum takes { NO_ARG, NEEDS_ARG, MAY_HAVE_ARG };

enum option_id {
	OPT_DB,
	OPT_RUN_DIR,
	OPT_TIMEOUT,
	OPT_NO_WAIT,
	OPT_DRY_RUN,
	OPT_ONELINE,
	OPT_RETRY,
	OPT_FORMAT,
	OPT_DATA,
	OPT_NO_HEADINGS,
	OPT_PRETTY,
	OPT_BARE,
	OPT_MAX_COLUMN_WIDTH,
	OPT_PRIVATE_KEY,
	OPT_CERTIFICATE,
	OPT_CA_CERT,
	OPT_BOOTSTRAP_CA_CERT,
	OPT_PEER_CA_CERT,
	OPT_VERBOSE,
	OPT_IGNORED,
	OPT_HELP,
	OPT_VERSION,
	OPT_COMMANDS,
	OPT_OPTIONS,
	OPT_SCHEMA,
	OPT_SETTINGS
};

static const struct option_spec {
	const char *name;
	char letter;
	enum takes takes;
	enum option_id id;
} specs[] = {
	{ "db", 0, NEEDS_ARG, OPT_DB },
	{ "run-dir", 0, NEEDS_ARG, OPT_RUN_DIR },
	{ "timeout", 't', NEEDS_ARG, OPT_TIMEOUT },
	{ "no-wait", 0, NO_ARG, OPT_NO_WAIT },
	{ "dry-run", 0, NO_ARG, OPT_DRY_RUN },
	{ "oneline", 0, NO_ARG, OPT_ONELINE },
	{ "retry", 0, NO_ARG, OPT_RETRY },
	{ "format", 'f', NEEDS_ARG, OPT_FORMAT },
	{ "data", 'd', NEEDS_ARG, OPT_DATA },
	{ "no-headings", 0, NO_ARG, OPT_NO_HEADINGS },
	{ "pretty", 0, NO_ARG, OPT_PRETTY },
	{ "bare", 0, NO_ARG, OPT_BARE },
	{ "max-column-width", 0, NEEDS_ARG, OPT_MAX_COLUMN_WIDTH },
	{ "private-key", 'p', NEEDS_ARG, OPT_PRIVATE_KEY },
	{ "certificate", 'c', NEEDS_ARG, OPT_CERTIFICATE },
	{ "ca-cert", 'C', NEEDS_ARG, OPT_CA_CERT },
	{ "bootstrap-ca-cert", 0, NEEDS_ARG, OPT_BOOTSTRAP_CA_CERT },
	{ "peer-ca-cert", 0, NEEDS_ARG, OPT_PEER_CA_CERT },
	{ "verbose", 'v', MAY_HAVE_ARG, OPT_VERBOSE },
	{ "help", 'h', NO_ARG, OPT_HELP },
	{ "version", 'V', NO_ARG, OPT_VERSION },
	{ "commands", 0, NO_ARG, OPT_COMMANDS },
	{ "options", 0, NO_ARG, OPT_OPTIONS },
	{ "schema", 0, NO_ARG, OPT_SCHEMA },
	{ "settings", 0, NO_ARG, OPT_SETTINGS },
	/* Taken so that scripts written for ovs-vsctl run. */
	{ "no-syslog", 0, NO_ARG, OPT_IGNORED },
	{ "syslog-method", 0, NEEDS_ARG, OPT_IGNORED },
	{ "syslog-target", 0, NEEDS_ARG, OPT_IGNORED },
	{ "log-file", 0, MAY_HAVE_ARG, OPT_IGNORED },
	{ "leader-only", 0, NO_ARG, OPT_IGNORED },
	{ "no-leader-only", 0, NO_ARG, OPT_IGNORED },
	{ "shuffle-remotes", 0, NO_ARG, OPT_IGNORED },
	{ "no-shuffle-remotes", 0, NO_ARG, OPT_IGNORED },
};

void ctl_options_list(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		const struct option_spec *s = &specs[i];

		printf("--%s%s\n", s->name, s->takes == NO_ARG ? "" : "=ARG");
		if (s->letter)
			printf("-%c%s\n", s->letter,
			       s->takes == NEEDS_ARG ? " ARG" : "");
	}
}

static int parse_number(const char *name, const char *arg, unsigned int *out,
			char **errp)
{
	unsigned long n = 0;
	char *end = NULL;

	errno = 0;
	if (arg)
		n = strtoul(arg, &end, 10);
	if (!arg || !isdigit((unsigned char)*arg) || *end || errno ||
	    n > INT_MAX)
		return set_error(errp, -EINVAL,
				 "--%s takes a whole number, not \"%s\"", name,
				 arg ? arg : "");
	*out = n;
	return 0;
}

static int parse_verbose(const char *arg, char **errp)
{
	char *spec = xstrdup(arg ? arg : "console:dbg");
	int error;

	/* ovs-vsctl separates the words by spaces, commas or colons. */
	for (char *p = spec; *p; p++)
		if (*p == ',' || *p == ' ')
			*p = ':';
	error = log_set(spec, errp);
	free(spec);
	return error;
}

static void set_string(char **to, const char *value)
{
	free(*to);
	*to = xstrdup(value);
}

static int apply_style(struct ctl_options *o, const struct option_spec *spec,
		       const char *arg, char **errp)
{
	switch (spec->id) {
	case OPT_FORMAT:
		o->format_given = true;
		return table_format_parse(arg, &o->style.format, errp);
	case OPT_DATA:
		return table_data_parse(arg, &o->style.data, errp);
	case OPT_NO_HEADINGS:
		o->style.headings = false;
		return 0;
	case OPT_PRETTY:
		o->style.pretty = true;
		return 0;
	case OPT_BARE:
		o->style.format = TABLE_LIST;
		o->style.data = TABLE_DATA_BARE;
		o->style.headings = false;
		return 0;
	default:
		return parse_number(spec->name, arg, &o->style.max_width, errp);
	}
}

/* Options that are asked for instead of running commands. */
static bool apply_action(struct ctl_options *o, enum option_id id)
{
	switch (id) {
	case OPT_HELP:
		o->action = CTL_HELP;
		return true;
	case OPT_VERSION:
		o->action = CTL_VERSION;
		return true;
	case OPT_COMMANDS:
		o->action = CTL_LIST_COMMANDS;
		return true;
	case OPT_OPTIONS:
		o->action = CTL_LIST_OPTIONS;
		return true;
	case OPT_SCHEMA:
		o->action = CTL_LIST_SCHEMA;
		return true;
	case OPT_SETTINGS:
		o->action = CTL_LIST_SETTINGS;
		return true;
	default:
		return false;
	}
}

static bool apply_tls(struct ctl_options *o, enum option_id id, const char *arg)
{
	switch (id) {
	case OPT_PRIVATE_KEY:
		o->private_key = arg;
		return true;
	case OPT_CERTIFICATE:
		o->certificate = arg;
		return true;
	case OPT_CA_CERT:
	case OPT_BOOTSTRAP_CA_CERT:
		o->ca_cert = arg;
		o->bootstrap = id == OPT_BOOTSTRAP_CA_CERT;
		return true;
	case OPT_PEER_CA_CERT:
		o->peer_ca_cert = arg;
		return true;
	default:
		return false;
	}
}

static int apply(struct ctl_options *o, const struct option_spec *spec,
		 const char *arg, char **errp)
{
	if (apply_action(o, spec->id) || apply_tls(o, spec->id, arg))
		return 0;
	switch (spec->id) {
	case OPT_DB:
		o->db_given = true;
		set_string(&o->db, arg);
		return 0;
	case OPT_RUN_DIR:
		set_string(&o->run_dir, arg);
		return 0;
	case OPT_TIMEOUT:
		return parse_number(spec->name, arg, &o->timeout_s, errp);
	case OPT_NO_WAIT:
		o->no_wait = true;
		return 0;
	case OPT_DRY_RUN:
		o->dry_run = true;
		return 0;
	case OPT_ONELINE:
		o->oneline = true;
		return 0;
	case OPT_RETRY:
		o->retry = true;
		return 0;
	case OPT_VERBOSE:
		return parse_verbose(arg, errp);
	case OPT_IGNORED:
		return 0;
	default:
		return apply_style(o, spec, arg, errp);
	}
}

static const struct option_spec *find_long(const char *name, size_t len)
{
	const struct option_spec *prefix = NULL;
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		if (strncmp(specs[i].name, name, len))
			continue;
		if (!specs[i].name[len])
			return &specs[i];
		prefix = &specs[i];
		n++;
	}
	return n == 1 ? prefix : NULL;
}

static int unknown_option(const char *word, char **errp)
{
	struct suggestion s;
	char hint[128];
	char *name = xstrdup(word + 2);
	int error;

	name[strcspn(name, "=")] = '\0';
	suggestion_init(&s, name);
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		suggestion_offer(&s, specs[i].name);
	error = set_error(errp, -EINVAL,
			  "unrecognized option '--%s'%s (--help lists the "
			  "options)",
			  name, suggestion_phrase(&s, hint, sizeof(hint)));
	free(name);
	return error;
}

/* A walk over the words; what is not a global option is kept for later. */
struct walk {
	struct ctl_options *options;
	int argc;
	char **argv;
	int i;
	char **kept; /* options of the first command */
	int n_kept;
};

static int parse_long(struct walk *w, int (*command_option)(const char *word),
		      char **errp)
{
	const char *word = w->argv[w->i++];
	size_t len = strcspn(word + 2, "=");
	const struct option_spec *spec = find_long(word + 2, len);
	const char *arg = word[2 + len] ? word + 3 + len : NULL;

	/* A command's option may be spelled as a prefix of a global one. */
	if (!spec || spec->name[len]) {
		int n = MIN(command_option(word), w->argc - w->i + 1);

		if (n) {
			memcpy(w->kept + w->n_kept, w->argv + w->i - 1,
			       n * sizeof(*w->kept));
			w->n_kept += n;
			w->i += n - 1;
			return 0;
		}
	}
	if (!spec)
		return unknown_option(word, errp);
	if (arg && spec->takes == NO_ARG)
		return set_error(errp, -EINVAL,
				 "option '--%s' takes no argument", spec->name);
	if (!arg && spec->takes == NEEDS_ARG) {
		if (w->i >= w->argc)
			return set_error(errp, -EINVAL,
					 "option '--%s' needs an argument",
					 spec->name);
		arg = w->argv[w->i++];
	}
	return apply(w->options, spec, arg, errp);
}

static const struct option_spec *find_short(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		if (specs[i].letter && specs[i].letter == letter)
			return &specs[i];
	return NULL;
}

/* A word of one-letter options: "-V", "-t5", "-t 5". */
static int parse_short(struct walk *w, char **errp)
{
	const char *p = w->argv[w->i++] + 1;

	while (*p) {
		const struct option_spec *spec = find_short(*p);
		const char *arg = NULL;
		int error;

		if (!spec)
			return set_error(errp, -EINVAL,
					 "unrecognized option '-%c' (--help "
					 "lists the options)",
					 *p);
		p++;
		if (spec->takes != NO_ARG && *p) {
			arg = p;
			p += strlen(p);
		} else if (spec->takes == NEEDS_ARG) {
			if (w->i >= w->argc)
				return set_error(
					errp, -EINVAL,
					"option '-%c' needs an argument",
					spec->letter);
			arg = w->argv[w->i++];
		}
		error = apply(w->options, spec, arg, errp);
		if (error)
			return error;
	}
	return 0;
}

static void set_defaults(struct ctl_options *o)
{
	const char *dir = getenv("VSW_RUNDIR");
	size_t len;

	if (!o->run_dir)
		o->run_dir = xstrdup(dir && *dir ? dir : DEFAULT_RUN_DIR);
	len = strlen(o->run_dir);
	while (len > 1 && o->run_dir[len - 1] == '/')
		o->run_dir[--len] = '\0';
	if (!o->db)
		o->db = xasprintf("unix:%s/db.sock", o->run_dir);
}

int ctl_options_parse(struct ctl_options *options, int argc, char **argv,
		      int (*command_option)(const char *word), int *next,
		      char **errp)
{
	struct walk w = {
		.options = options, .argc = argc, .argv = argv, .i = 1
	};
	int error = 0;

	memset(options, 0, sizeof(*options));
	table_style_init(&options->style);
	w.kept = xcalloc(argc + 1, sizeof(*w.kept));
	while (!error && w.i < argc) {
		const char *word = argv[w.i];

		if (word[0] != '-' || !word[1] || !strcmp(word, "--"))
			break;
		error = word[1] == '-' ? parse_long(&w, command_option, errp)
				       : parse_short(&w, errp);
	}
	/* Everything before w.i was read: there is room for what is kept. */
	*next = w.i - w.n_kept;
	if (w.n_kept)
		memcpy(argv + *next, w.kept, w.n_kept * sizeof(*w.kept));
	free(w.kept);
	set_defaults(options);
	return error;
}

void ctl_options_destroy(struct ctl_options *options)
{
	free(options->run_dir);
	free(options->db);
}
