/*
 * The fast path as a whole: its programs and maps, loaded and given up. The
 * files beside it are listed in fastpath_internal.h.
 */
#include "fastpath/fastpath.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "fastpath/fastpath.skel.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/takeover.h"

LOG_MODULE(fastpath);

/* What the library has to say, a verifier's long words among it. */
static int print_debug(enum libbpf_print_level level, const char *fmt,
		       va_list args)
{
	char *text, *line, *rest;

	if (level == LIBBPF_DEBUG || vasprintf(&text, fmt, args) < 0)
		return 0;
	fastpath_note_objection(text);
	for (rest = text; (line = strsep(&rest, "\n"));)
		if (*line)
			log_dbg("%s", line);
	free(text);
	return 0;
}

static int load_programs(struct fastpath *fp)
{
	int n_cpus = libbpf_num_possible_cpus(), error;

	if (n_cpus < 0)
		return n_cpus;
	fp->n_cpus = n_cpus;
	fp->bpf = fastpath_bpf__open();
	if (!fp->bpf)
		return -errno;
	error = bpf_map__set_max_entries(fp->bpf->maps.fp_counters,
					 fp->n_cpus * FP_SLOTS);
	return error ? error : fastpath_bpf__load(fp->bpf);
}

static int write_owner(const struct fastpath *fp)
{
	struct fp_owner owner = {
		.magic = FP_MAGIC,
		.version = FP_LAYOUT_VERSION,
		.netns = fp->netns,
		.pid = getpid(),
	};
	uint32_t key = 0;

	snprintf(owner.run_dir, sizeof(owner.run_dir), "%s", fp->run_dir);
	if (bpf_map_update_elem(bpf_map__fd(fp->bpf->maps.fp_owner), &key,
				&owner, BPF_ANY))
		return -errno;
	return 0;
}

static int load(struct fastpath *fp)
{
	int error = load_programs(fp);

	if (!error)
		error = fastpath_slots_map(fp);
	if (!error)
		error = fastpath_publish_start(fp);
	return error ? error : write_owner(fp);
}

/* Of a directory that may be gone, too. NULL with errno. */
static char *real_name(const char *path)
{
	char *name = realpath(path, NULL), *copies[2], *parent;

	if (name || errno != ENOENT)
		return name;
	copies[0] = xstrdup(path);
	copies[1] = xstrdup(path);
	parent = realpath(dirname(copies[0]), NULL);
	if (parent)
		name = xasprintf("%s/%s", strcmp(parent, "/") ? parent : "",
				 basename(copies[1]));
	free(parent);
	free(copies[0]);
	free(copies[1]);
	return name;
}

/* By which a killed daemon's are known; NULL, or why it cannot be told. */
char *fastpath_name_owner(struct fastpath *fp, const char *run_dir)
{
	struct stat st;

	fp->run_dir = real_name(run_dir);
	if (!fp->run_dir)
		return xasprintf("%s: %s", run_dir, strerror(errno));
	if (strlen(fp->run_dir) >= FP_OWNER_MAX)
		return xasprintf("the run directory's name is longer than %d "
				 "bytes: %s",
				 FP_OWNER_MAX - 1, fp->run_dir);
	if (stat("/proc/self/ns/net", &st))
		return xasprintf("/proc/self/ns/net: %s", strerror(errno));
	fp->netns = st.st_ino;
	return NULL;
}

/* NULL, or why there can be no fast path. */
static char *find_leftovers(struct fastpath *fp)
{
	pid_t holder = 0;
	int error = fastpath_leftovers_find(fp, &holder);

	if (error == -EPERM)
		log_warn("without CAP_SYS_ADMIN at the start, what an earlier "
			 "vswd may have left in the kernel cannot be looked "
			 "for: \"vswd --clean-up\" removes it, as root, while "
			 "no vswd runs");
	if (!error || error == -EPERM)
		return NULL;
	if (error == -EBUSY)
		return xasprintf("another vswd runs in %s (process %d)",
				 fp->run_dir, (int)holder);
	return xasprintf("cannot look for what an earlier vswd has left: %s",
			 strerror(-error));
}

struct fastpath *fastpath_create(const char *run_dir, char **whyp)
{
	struct fastpath *fp = xcalloc(1, sizeof(*fp));
	char *why = fastpath_name_owner(fp, run_dir);
	int error;

	fp->no_ports_fd = fp->no_fdb_fd = -1;
	libbpf_set_print(print_debug);
	if (!why)
		why = fastpath_why_not();
	if (!why)
		why = find_leftovers(fp);
	if (!why) {
		error = load(fp);
		if (error)
			why = fastpath_why_not_loaded(error);
	}
	if (!why)
		return fp;
	fastpath_destroy(fp);
	*whyp = why;
	return NULL;
}

void fastpath_destroy(struct fastpath *fp)
{
	if (!fp)
		return;
	fastpath_leftovers_free(fp);
	fastpath_publish_end(fp);
	fastpath_slots_unmap(fp);
	fastpath_bpf__destroy(fp->bpf);
	free(fp->run_dir);
	free(fp);
}

void fastpath_keep(struct fastpath *fp)
{
	fp->is_kept = true;
}

bool fastpath_is_kept(const struct fastpath *fp)
{
	return fp->is_kept;
}

int fastpath_filter_fd(const struct fastpath *fp)
{
	return bpf_program__fd(fp->bpf->progs.fp_filter);
}
