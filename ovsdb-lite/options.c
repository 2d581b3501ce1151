/* The command line: see options.h. */
#include "ovsdb-lite/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum {
	OPT_REMOTE = UCHAR_MAX + 1,
	OPT_UNIXCTL,
	OPT_RUN,
	OPT_NO_DBS,
	OPT_DETACH,
	OPT_NO_CHDIR,
	OPT_PIDFILE,
	OPT_OVERWRITE_PIDFILE,
	OPT_LOG_FILE,
	OPT_PEER_CA_CERT,
	OPT_BOOTSTRAP_CA_CERT,
	OPT_IGNORED,
};

static const struct option long_options[] = {
	{ "remote", required_argument, NULL, OPT_REMOTE },
	{ "unixctl", required_argument, NULL, OPT_UNIXCTL },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "no-dbs", no_argument, NULL, OPT_NO_DBS },
	{ "detach", no_argument, NULL, OPT_DETACH },
	{ "no-chdir", no_argument, NULL, OPT_NO_CHDIR },
	{ "pidfile", optional_argument, NULL, OPT_PIDFILE },
	{ "overwrite-pidfile", no_argument, NULL, OPT_OVERWRITE_PIDFILE },
	{ "log-file", optional_argument, NULL, OPT_LOG_FILE },
	{ "verbose", optional_argument, NULL, 'v' },
	{ "private-key", required_argument, NULL, 'p' },
	{ "certificate", required_argument, NULL, 'c' },
	{ "ca-cert", required_argument, NULL, 'C' },
	{ "peer-ca-cert", required_argument, NULL, OPT_PEER_CA_CERT },
	{ "bootstrap-ca-cert", required_argument, NULL, OPT_BOOTSTRAP_CA_CERT },
	/* Scripts pass these; nothing here depends on them. */
	{ "monitor", no_argument, NULL, OPT_IGNORED },
	{ "no-self-confinement", no_argument, NULL, OPT_IGNORED },
	{ "syslog-method", required_argument, NULL, OPT_IGNORED },
	{ "syslog-target", required_argument, NULL, OPT_IGNORED },
	{ "ssl-protocols", required_argument, NULL, OPT_IGNORED },
	{ "ssl-ciphers", required_argument, NULL, OPT_IGNORED },
	{ "disable-file-column-diff", no_argument, NULL, OPT_IGNORED },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"%s: a server of OVSDB databases (RFC 7047)\n"
	"usage: %s [OPTION]... [DATABASE]...\n"
	"where each DATABASE is a file that `ovsdb-tool create' made;\n"
	"the default is " OVSDB_DB_DIR "/conf.db.\n"
	"\n"
	"  --remote=REMOTE       take clients at REMOTE (any number of times):\n"
	"      punix:FILE               a Unix socket\n"
	"      ptcp:[PORT][:ADDRESS]    TCP\n"
	"      pssl:[PORT][:ADDRESS]    TLS\n"
	"      unix:FILE, tcp:HOST:PORT, ssl:HOST:PORT   connect to the client\n"
	"      db:DB,TABLE,COLUMN       the remotes that the column has\n"
	"  --run=COMMAND         start COMMAND; exit when it ends, as it does\n"
	"  --no-dbs              serve no database at first\n"
	"  --unixctl=FILE        the control socket\n"
	"Daemon:\n"
	"  --detach              go to the background, once clients can connect\n"
	"  --no-chdir            do not change to / then\n"
	"  --pidfile[=FILE]      write and lock a file with the process id\n"
	"  --overwrite-pidfile   even if a running process has it\n"
	"Logging:\n"
	"  -v, --verbose[=SPEC]  [MODULE][:DESTINATION][:LEVEL]\n"
	"  --log-file[=FILE]     log to FILE (default " OVSDB_LOG_DIR
	"/NAME.log)\n"
	"TLS:\n"
	"  -p, --private-key=FILE       our private key\n"
	"  -c, --certificate=FILE       our certificate\n"
	"  -C, --ca-cert=FILE           the CA of peers' certificates, or none\n"
	"  --peer-ca-cert=FILE          CA certificate to send to peers\n"
	"  --bootstrap-ca-cert=FILE     the same as --ca-cert, but made from\n"
	"                               the first peer's when it is missing\n"
	"  -h, --help            this text\n"
	"  -V, --version         the version\n";

static const char *directory(const char *variable, const char *otherwise)
{
	const char *value = getenv(variable);

	return value && *value ? value : otherwise;
}

const char *options_run_dir(void)
{
	return directory("OVS_RUNDIR", OVSDB_RUN_DIR);
}

/* A relative name is meant from dir; NULL: from the working directory. */
static char *absolute(const char *dir, const char *file)
{
	char cwd[PATH_MAX];

	if (file[0] == '/')
		return xstrdup(file);
	if (!dir)
		dir = getcwd(cwd, sizeof(cwd));
	return dir ? xasprintf("%s/%s", dir, file) : xstrdup(file);
}

static char *default_name(const char *dir, const char *suffix)
{
	return xasprintf("%s/%s%s", dir, program_invocation_short_name, suffix);
}

static void append(char ***list, size_t *n, char *item)
{
	*list = xrealloc(*list, (*n + 1) * sizeof(**list));
	(*list)[(*n)++] = item;
}

static void add_remote(struct options *o, const char *remote)
{
	char *path;

	/* We may change directory before a socket's name is used. */
	if (!strncmp(remote, "punix:", 6) && remote[6] != '/') {
		path = absolute(options_run_dir(), remote + 6);
		append(&o->remotes, &o->n_remotes, xasprintf("punix:%s", path));
		free(path);
	} else {
		append(&o->remotes, &o->n_remotes, xstrdup(remote));
	}
}

static int set_verbosity(const char *spec, char **errp)
{
	if (!spec)
		return log_set("dbg", errp);
	/* How lines look is not to be chosen here. */
	if (!strncasecmp(spec, "PATTERN:", 8) ||
	    !strncasecmp(spec, "FACILITY:", 9))
		return 0;
	return log_set(spec, errp);
}

/* A TLS file, unless it is to be looked up in a database. */
static char *tls_file(const char *name)
{
	if (!strncmp(name, "db:", 3) || !strcmp(name, "none"))
		return xstrdup(name);
	return absolute(NULL, name);
}

static int tls_option(struct options *o, int c, const char *arg)
{
	switch (c) {
	case 'p':
		o->tls.private_key = tls_file(arg);
		return 0;
	case 'c':
		o->tls.certificate = tls_file(arg);
		return 0;
	case 'C':
	case OPT_BOOTSTRAP_CA_CERT:
		o->tls.ca_cert = tls_file(arg);
		o->tls.bootstrap = c == OPT_BOOTSTRAP_CA_CERT;
		return 0;
	case OPT_PEER_CA_CERT:
		o->tls.peer_ca_cert = tls_file(arg);
		return 0;
	default:
		return -EINVAL;
	}
}

static int daemon_option(struct options *o, int c, const char *arg)
{
	switch (c) {
	case OPT_DETACH:
		o->daemon.detach = true;
		return 0;
	case OPT_NO_CHDIR:
		o->daemon.no_chdir = true;
		return 0;
	case OPT_PIDFILE:
		o->daemon.pidfile =
			arg ? absolute(options_run_dir(), arg)
			    : default_name(options_run_dir(), ".pid");
		return 0;
	case OPT_OVERWRITE_PIDFILE:
		o->daemon.overwrite = true;
		return 0;
	case OPT_LOG_FILE:
		o->log_file = arg ? absolute(NULL, arg)
				  : default_name(directory("OVS_LOGDIR",
							   OVSDB_LOG_DIR),
						 ".log");
		return 0;
	default:
		return tls_option(o, c, arg);
	}
}

static int one_option(struct options *o, int c, const char *arg, bool *no_dbs,
		      char **errp)
{
	const char *name = program_invocation_short_name;

	switch (c) {
	case OPT_REMOTE:
		add_remote(o, arg);
		return 0;
	case OPT_UNIXCTL:
		o->unixctl = !strcmp(arg, "none")
				     ? xstrdup(arg)
				     : absolute(options_run_dir(), arg);
		return 0;
	case OPT_RUN:
		o->run = xstrdup(arg);
		return 0;
	case OPT_NO_DBS:
		*no_dbs = true;
		return 0;
	case OPT_IGNORED:
		return 0;
	case 'v':
		return set_verbosity(arg, errp);
	case 'h':
		printf(help, name, name);
		o->done = true;
		return 0;
	case 'V':
		printf("%s (vsw) %s\n", name, VSW_VERSION);
		o->done = true;
		return 0;
	default:
		return daemon_option(o, c, arg);
	}
}

int options_parse(struct options *o, int argc, char *argv[], char **errp)
{
	bool no_dbs = false;
	int c, error;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":v::p:c:C:hV", long_options,
				NULL)) != -1) {
		if (c == '?' || c == ':')
			return set_error(errp, -EINVAL, "%s: %s; see --help",
					 argv[optind - 1],
					 c == ':' ? "the option needs an "
						    "argument"
						  : "unknown option");
		error = one_option(o, c, optarg, &no_dbs, errp);
		if (error || o->done)
			return error;
	}
	for (int i = optind; i < argc; i++)
		append(&o->dbs, &o->n_dbs, absolute(NULL, argv[i]));
	if (!o->n_dbs && !no_dbs)
		append(&o->dbs, &o->n_dbs,
		       absolute(directory("OVS_DBDIR", OVSDB_DB_DIR),
				"conf.db"));
	return 0;
}
