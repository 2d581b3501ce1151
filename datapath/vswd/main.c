/* vswd: the switch's daemon. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "vswd/options.h"
#include "vswd/vswd.h"

static int fail(const char *why)
{
	fprintf(stderr, "vswd: %s\n", why);
	return EXIT_FAILURE;
}

/* A port takes four descriptors and two a worker; a shell allows 1,024. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char *argv[])
{
	struct vswd_options options;
	struct vswd *vswd = NULL;
	char *why = NULL;
	int status = EXIT_SUCCESS, error;

	log_init("vswd");
	raise_file_limit();
	error = vswd_options_parse(&options, argc, argv, &why);
	if (!error && options.done)
		goto out;
	if (!error)
		error = vswd_options_make_dirs(&options, &why);
	if (!error)
		error = daemon_start(&options.daemon, &why);
	if (error) {
		status = fail(why);
		goto out;
	}
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
