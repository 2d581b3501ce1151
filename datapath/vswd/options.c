#include "vswd/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum {
	OPT_RUN_DIR = UCHAR_MAX + 1,
	OPT_DB,
	OPT_DATABASE,
	OPT_REMOTE,
	OPT_DETACH,
	OPT_NO_CHDIR,
	OPT_PIDFILE,
	OPT_OVERWRITE,
	OPT_LOG_FILE,
	OPT_UNIXCTL,
	OPT_NO_SANDBOX,
	OPT_CLEAN_UP,
};

static const struct option long_options[] = {
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "db", required_argument, NULL, OPT_DB },
	{ "database", required_argument, NULL, OPT_DATABASE },
	{ "remote", required_argument, NULL, OPT_REMOTE },
	{ "detach", no_argument, NULL, OPT_DETACH },
	{ "no-chdir", no_argument, NULL, OPT_NO_CHDIR },
	{ "pidfile", optional_argument, NULL, OPT_PIDFILE },
	{ "overwrite-pidfile", no_argument, NULL, OPT_OVERWRITE },
	{ "log-file", optional_argument, NULL, OPT_LOG_FILE },
	{ "unixctl", required_argument, NULL, OPT_UNIXCTL },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "clean-up", no_argument, NULL, OPT_CLEAN_UP },
	{ "private-key", required_argument, NULL, 'p' },
	{ "certificate", required_argument, NULL, 'c' },
	{ "ca-cert", required_argument, NULL, 'C' },
	{ "verbose", optional_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"vswd: the vsw virtual switch\n"
	"usage: vswd [OPTIONS] [DATABASE]\n"
	"where DATABASE is the remote of an OVSDB server, as --db.\n"
	"\n"
	"Where things are:\n"
	"  --run-dir=DIR      all files of this instance in DIR: db.sock,\n"
	"                     vswd.ctl, vswd.pid, conf.db (default: " VSWD_RUN_DIR
	",\n"
	"                     the database " VSWD_DB_FILE ")\n"
	"  --database=FILE    the embedded server's database file\n"
	"  --remote=REMOTE    the embedded server listens here too, e.g.\n"
	"                     ptcp:6640:127.0.0.1; may be repeated\n"
	"  --db=REMOTE        use this OVSDB server, not the embedded one, e.g.\n"
	"                     unix:/var/run/openvswitch/db.sock\n"
	"  -p, --private-key=FILE, -c, --certificate=FILE, -C, --ca-cert=FILE\n"
	"                     PEM files for --db=ssl:HOST:PORT and for\n"
	"                     --remote=pssl:PORT\n"
	"  --unixctl=SOCKET   control socket (default: RUN-DIR/vswd.ctl)\n"
	"  --pidfile[=FILE]   pid file (default: RUN-DIR/vswd.pid)\n"
	"  --overwrite-pidfile  take the pid file from a vswd that lives\n"
	"\n"
	"Running:\n"
	"  --detach           go on in the background once it serves\n"
	"  --no-chdir         do not change to / when detaching\n"
	"  --no-sandbox       keep all capabilities, no system call filter\n"
	"  --clean-up         remove what an earlier vswd of this RUN-DIR has left\n"
	"                     in the kernel, and end\n"
	"  --log-file[=FILE]  log to FILE (default: RUN-DIR/vswd.log, or\n"
	"                     " VSWD_LOG_DIR "/vswd.log without --run-dir)\n"
	"  -v, --verbose[=SPEC]  log levels, e.g. dbg or bridge:file:dbg\n"
	"  -h, --help         this text\n"
	"  -V, --version      version\n";

static int refuse(const char *option, char **errp)
{
	return set_error(errp, -EINVAL,
			 "%s is not right; see vswd --help for the options",
			 option);
}

/* The same place whatever the working directory will be. */
static char *absolute(const char *path)
{
	char *cwd, *result;

	if (path[0] == '/')
		return xstrdup(path);
	cwd = getcwd(NULL, 0);
	result = xasprintf("%s/%s", cwd ? cwd : "", path);
	free(cwd);
	return result;
}

static void set_path(char **where, const char *path)
{
	free(*where);
	*where = absolute(path);
}

static void set_string(char **where, const char *text)
{
	free(*where);
	*where = xstrdup(text);
}

static void add_remote(struct vswd_options *o, const char *remote)
{
	o->remotes =
		xrealloc(o->remotes, (o->n_remotes + 2) * sizeof(*o->remotes));
	o->remotes[o->n_remotes++] = xstrdup(remote);
	o->remotes[o->n_remotes] = NULL;
}

/*
 * As ovs-vswitchd's: the words are joined to -v, or there are none. They may
 * also be the next argument, if they make sense as such.
 */
static int set_levels(int argc, char *argv[], char **errp)
{
	if (optarg)
		return log_set(optarg, errp);
	if (optind < argc && argv[optind][0] != '-' &&
	    !log_set(argv[optind], NULL)) {
		optind++;
		return 0;
	}
	return log_set("dbg", errp);
}

static int check_remote(const char *remote, char **errp)
{
	static const char *const kinds[] = { "unix:", "tcp:", "ssl:" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(remote, kinds[i], strlen(kinds[i])))
			return 0;
	return set_error(errp, -EINVAL,
			 "\"%s\" is not a database; use unix:FILE, "
			 "tcp:HOST:PORT or ssl:HOST:PORT",
			 remote);
}

static int check_tls(const struct vswd_options *o, char **errp)
{
	const struct tls_files *tls = &o->tls;
	bool wanted = o->db_remote && !strncmp(o->db_remote, "ssl:", 4);
	bool any = tls->private_key || tls->certificate || tls->ca_cert;
	bool all = tls->private_key && tls->certificate && tls->ca_cert;

	if (wanted && !all)
		return set_error(errp, -EINVAL,
				 "%s: --private-key, --certificate and "
				 "--ca-cert are needed for an ssl: database",
				 o->db_remote);
	if (any && !all)
		return set_error(errp, -EINVAL,
				 "--private-key, --certificate and --ca-cert "
				 "go together");
	return 0;
}

/* What the parser must remember until the run directory is known. */
struct parsing {
	bool log_file;
};

static char **tls_file(struct vswd_options *o, int option)
{
	return option == 'p'   ? &o->tls.private_key
	       : option == 'c' ? &o->tls.certificate
			       : &o->tls.ca_cert;
}

static int handle(struct vswd_options *o, struct parsing *parsing, int option,
		  int argc, char *argv[], char **errp)
{
	switch (option) {
	case OPT_RUN_DIR:
		if (!optarg[0])
			return set_error(errp, -EINVAL,
					 "--run-dir needs a directory");
		set_path(&o->run_dir, optarg);
		return 0;
	case OPT_DB:
		set_string(&o->db_remote, optarg);
		return 0;
	case OPT_DATABASE:
		set_path(&o->db_file, optarg);
		return 0;
	case OPT_REMOTE:
		add_remote(o, optarg);
		return 0;
	case OPT_DETACH:
		o->daemon.detach = true;
		return 0;
	case OPT_NO_CHDIR:
		o->daemon.no_chdir = true;
		return 0;
	case OPT_PIDFILE:
		if (optarg)
			set_path(&o->pid_file, optarg);
		return 0;
	case OPT_OVERWRITE:
		o->daemon.overwrite = true;
		return 0;
	case OPT_LOG_FILE:
		parsing->log_file = true;
		if (optarg)
			set_path(&o->log_file, optarg);
		return 0;
	case OPT_UNIXCTL:
		set_path(&o->control_socket, optarg);
		return 0;
	case OPT_NO_SANDBOX:
		o->sandbox = false;
		return 0;
	case OPT_CLEAN_UP:
		o->clean_up = true;
		return 0;
	case 'p':
	case 'c':
	case 'C':
		set_path(tls_file(o, option), optarg);
		return 0;
	case 'v':
		return set_levels(argc, argv, errp);
	case 'h':
		fputs(usage, stdout);
		o->done = true;
		return 0;
	case 'V':
		printf("vswd (vsw) %s\n", VSW_VERSION);
		o->done = true;
		return 0;
	default:
		return refuse(argv[optind - 1], errp);
	}
}

static void fill_in(struct vswd_options *o, const struct parsing *parsing)
{
	bool own_dir = o->run_dir;

	if (!own_dir)
		o->run_dir = xstrdup(VSWD_RUN_DIR);
	if (!o->db_file)
		o->db_file = own_dir ? xasprintf("%s/conf.db", o->run_dir)
				     : xstrdup(VSWD_DB_FILE);
	o->db_socket = xasprintf("%s/db.sock", o->run_dir);
	if (!o->control_socket)
		o->control_socket = xasprintf("%s/vswd.ctl", o->run_dir);
	if (!o->pid_file)
		o->pid_file = xasprintf("%s/vswd.pid", o->run_dir);
	if (parsing->log_file && !o->log_file)
		o->log_file = xasprintf("%s/vswd.log",
					own_dir ? o->run_dir : VSWD_LOG_DIR);
	o->daemon.pidfile = o->pid_file;
}

int vswd_options_parse(struct vswd_options *o, int argc, char *argv[],
		       char **errp)
{
	struct parsing parsing = { false };
	int option, error;

	memset(o, 0, sizeof(*o));
	o->sandbox = true;
	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":v::hVp:c:C:", long_options,
				     NULL)) != -1) {
		error = handle(o, &parsing, option, argc, argv, errp);
		if (error || o->done)
			return error;
	}
	if (optind < argc)
		set_string(&o->db_remote, argv[optind++]);
	if (optind < argc)
		return refuse(argv[optind], errp);
	if (o->db_remote && check_remote(o->db_remote, errp))
		return -EINVAL;
	if (o->db_remote && (o->db_file || o->n_remotes))
		return set_error(errp, -EINVAL,
				 "--database and --remote are the embedded "
				 "server's; they cannot be used with --db");
	if (check_tls(o, errp))
		return -EINVAL;
	fill_in(o, &parsing);
	return 0;
}

void vswd_options_free(struct vswd_options *o)
{
	for (size_t i = 0; i < o->n_remotes; i++)
		free(o->remotes[i]);
	free(o->remotes);
	free(o->tls.private_key);
	free(o->tls.certificate);
	free(o->tls.ca_cert);
	free(o->run_dir);
	free(o->db_remote);
	free(o->db_file);
	free(o->db_socket);
	free(o->control_socket);
	free(o->pid_file);
	free(o->log_file);
}

/* mkdir -p of the directory that the file is to be in. */
static int make_dir_of(const char *file, char **errp)
{
	char *path = xstrdup(file), *slash = path;
	int error = 0;

	while (!error && (slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			error = set_error(errp, -errno,
					  "cannot make directory %s: %s", path,
					  strerror(errno));
		*slash = '/';
	}
	free(path);
	return error;
}

int vswd_options_make_dirs(const struct vswd_options *o, char **errp)
{
	const char *const files[] = { o->pid_file, o->control_socket,
				      o->db_socket, o->log_file,
				      o->db_remote ? NULL : o->db_file };
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !error; i++)
		if (files[i])
			error = make_dir_of(files[i], errp);
	return error;
}
