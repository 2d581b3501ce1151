/* The command line of vswd. */
#ifndef VSWD_OPTIONS_H
#define VSWD_OPTIONS_H

#include "base/daemon.h"
#include "ovsdb-lite/tls.h"

#define VSWD_RUN_DIR "/run/vsw"
#define VSWD_DB_FILE "/var/lib/vsw/conf.db"
#define VSWD_LOG_DIR "/var/log/vsw"

/* All paths are absolute; strings live until vswd_options_free(). */
struct vswd_options {
	char *run_dir;
	char *db_remote; /* of a server elsewhere; NULL: the embedded one */
	struct tls_files tls; /* for remotes by TLS, or empty */
	char *db_file;	      /* the embedded server's */
	char *db_socket;      /* where it listens */
	char **remotes;	      /* and where else; NULL-terminated, may be NULL */
	size_t n_remotes;
	char *control_socket;
	char *pid_file;
	char *log_file; /* NULL: none */
	bool sandbox;
	bool clean_up; /* to remove what was left, and nothing else */
	struct daemon_options daemon; /* its pidfile is pid_file */
	bool done;		      /* --help or --version was answered */
};

/*
 * 0, or -EINVAL with a message. Log levels take effect at once. Call
 * vswd_options_free() in any case.
 */
int vswd_options_parse(struct vswd_options *options, int argc, char *argv[],
		       char **errp);
void vswd_options_free(struct vswd_options *options);

/* Makes the directories of all these files. 0, or -errno with a message. */
int vswd_options_make_dirs(const struct vswd_options *options, char **errp);

#endif
