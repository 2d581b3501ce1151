/* vswd: the switch's daemon. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "fastpath/fastpath.h"
#include "vhost/memory.h"
#include "vswd/options.h"
#include "vswd/vswd.h"

#define FILES_WANTED 262144

static int fail(const char *why)
{
	fprintf(stderr, "vswd: %s\n", why);
	return EXIT_FAILURE;
}

/*
 * A device takes four descriptors and two a worker, a guest's card two and six
 * a pair of queues: a thousand guests with many processors take more than most
 * limits allow. Root may go beyond; the others take what they have.
 */
static void raise_file_limit(void)
{
	struct rlimit limit, more = { FILES_WANTED, FILES_WANTED };

	if (getrlimit(RLIMIT_NOFILE, &limit) ||
	    (limit.rlim_max < FILES_WANTED && !setrlimit(RLIMIT_NOFILE, &more)))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Nobody of this run directory may live: his would be removed. */
static int clean_up(const struct vswd_options *options, char **errp)
{
	/* Where there is no directory, who may live has the fast path's lock.
	 */
	const struct daemon_options lock = {
		.pidfile = access(options->run_dir, F_OK) ? NULL
							  : options->pid_file,
	};
	int n = daemon_start(&lock, errp);

	if (n)
		return n;
	n = fastpath_clean_up(options->run_dir, errp);
	if (n >= 0)
		printf("vswd: removed what was left at %d device%s\n", n,
		       n == 1 ? "" : "s");
	daemon_end();
	return MIN(n, 0);
}

int main(int argc, char *argv[])
{
	struct vswd_options options;
	struct vswd *vswd = NULL;
	char *why = NULL;
	int status = EXIT_SUCCESS, error;

	log_init("vswd");
	raise_file_limit();
	vhost_memory_guard();
	error = vswd_options_parse(&options, argc, argv, &why);
	if (!error && options.done)
		goto out;
	if (!error && !options.clean_up)
		error = vswd_options_make_dirs(&options, &why);
	if (!error && options.clean_up)
		error = clean_up(&options, &why);
	else if (!error)
		error = daemon_start(&options.daemon, &why);
	if (error)
		status = fail(why);
	if (error || options.clean_up)
		goto out;
	vswd = vswd_start(&options, &why);
	if (vswd)
		vswd_run(vswd);
	else
		status = fail(why);
	vswd_stop(vswd);
	daemon_end();
out:
	vswd_options_free(&options);
	free(why);
	return status;
}
