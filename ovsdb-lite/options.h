/*
 * The command line of the program ovsdb-lite, which is ovsdb-server's, so that
 * scripts made for that one start this one.
 */
#ifndef OVSDB_LITE_OPTIONS_H
#define OVSDB_LITE_OPTIONS_H

#include "base/daemon.h"
#include "ovsdb-lite/tls.h"

/* Where things are by default; OVS_RUNDIR, OVS_DBDIR, OVS_LOGDIR say otherwise.
 */
#define OVSDB_RUN_DIR "/run/vsw"
#define OVSDB_DB_DIR  "/var/lib/vsw"
#define OVSDB_LOG_DIR "/var/log/vsw"

struct options {
	struct daemon_options daemon;
	char **dbs; /* files: absolute paths */
	size_t n_dbs;
	char **remotes;
	size_t n_remotes;
	char *unixctl;	/* absolute path, or "none"; NULL: by default */
	char *log_file; /* NULL: none */
	char *run;	/* a command, or NULL */
	struct tls_files tls;
	bool done; /* --help or --version was answered */
};

/*
 * Parses the command line; log settings take effect at once. 0, or -EINVAL with
 * a message. All strings live until the process ends.
 */
int options_parse(struct options *options, int argc, char *argv[], char **errp);

/* The directory of sockets and pid files. */
const char *options_run_dir(void);

#endif
