#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_PER_SECOND 5
#define LINE_MAX_BYTES	 2048

static const char *const level_names[N_LOG_LEVELS] = { "off",  "emer", "err",
						       "warn", "info", "dbg" };
static const char *const destination_names[N_LOG_DESTINATIONS] = { "console",
								   "syslog",
								   "file" };
static const int default_threshold[N_LOG_DESTINATIONS] = {
	[LOG_TO_CONSOLE] = LOG_LEVEL_WARN,
	[LOG_TO_SYSLOG] = LOG_LEVEL_OFF,
	[LOG_TO_FILE] = LOG_LEVEL_INFO,
};

static struct log_module *modules; /* filled by constructors only */
static char program_name[32] = "vsw";
static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER;
static char *file_path;
static _Atomic int file_fd = -1;
static _Atomic unsigned line_number = 1;

const char *log_level_name(enum log_level level)
{
	return level < N_LOG_LEVELS ? level_names[level] : "?";
}

static void update_max(struct log_module *m)
{
	int max = LOG_LEVEL_OFF;

	for (int d = 0; d < N_LOG_DESTINATIONS; d++) {
		int t = atomic_load(&m->threshold[d]);

		if (d == LOG_TO_FILE && atomic_load(&file_fd) < 0)
			continue;
		max = MAX(max, t);
	}
	atomic_store(&m->max_level, max);
}

static void update_all(void)
{
	for (struct log_module *m = modules; m; m = m->next)
		update_max(m);
}

void log_register(struct log_module *module)
{
	for (int d = 0; d < N_LOG_DESTINATIONS; d++)
		atomic_init(&module->threshold[d], default_threshold[d]);
	update_max(module);
	module->next = modules;
	modules = module;
}

void log_init(const char *program)
{
	snprintf(program_name, sizeof(program_name), "%s", program);
	openlog(program_name, LOG_PID, LOG_DAEMON);
}

int log_set_file(const char *path, char **errp)
{
	int fd, old, error = 0;

	pthread_mutex_lock(&file_lock);
	if (path) {
		free(file_path);
		file_path = xstrdup(path);
	}
	if (!file_path) {
		error = set_error(
			errp, -ENOENT,
			"no log file is in use; start with --log-file");
		goto out;
	}
	fd = open(file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		error = -errno;
		set_error(errp, error, "cannot open log file %s: %s", file_path,
			  strerror(errno));
		goto out;
	}
	old = atomic_load(&file_fd);
	if (old >= 0) {
		/* Keeps the number, so that a writer never sees it closed. */
		dup3(fd, old, O_CLOEXEC);
		close(fd);
	} else {
		atomic_store(&file_fd, fd);
	}
	update_all();
out:
	pthread_mutex_unlock(&file_lock);
	return error;
}

static int find_name(const char *const names[], int n, const char *word)
{
	for (int i = 0; i < n; i++)
		if (!strcasecmp(names[i], word))
			return i;
	return -1;
}

static struct log_module *find_module(const char *word)
{
	for (struct log_module *m = modules; m; m = m->next)
		if (!strcasecmp(m->name, word))
			return m;
	return NULL;
}

/* Several files may share a module's name: all of them are set. */
static void set_threshold(const char *module, int destination, int level)
{
	for (struct log_module *m = modules; m; m = m->next) {
		if (module && strcasecmp(m->name, module))
			continue;
		for (int d = 0; d < N_LOG_DESTINATIONS; d++)
			if (destination < 0 || destination == d)
				atomic_store(&m->threshold[d], level);
		update_max(m);
	}
}

int log_set(const char *spec, char **errp)
{
	int level = LOG_LEVEL_DBG, destination = -1;
	const char *module = NULL;
	char *copy, *save, *word;

	copy = xstrdup(spec);
	for (word = strtok_r(copy, ": ,", &save); word;
	     word = strtok_r(NULL, ": ,", &save)) {
		int i;

		if (!strcasecmp(word, "ANY"))
			continue;
		i = find_name(level_names, N_LOG_LEVELS, word);
		if (i >= 0) {
			level = i;
			continue;
		}
		i = find_name(destination_names, N_LOG_DESTINATIONS, word);
		if (i >= 0) {
			destination = i;
			continue;
		}
		if (!find_module(word)) {
			set_error(errp, -EINVAL,
				  "no log destination, level, or module \"%s\"",
				  word);
			free(copy);
			return -EINVAL;
		}
		module = word;
	}
	set_threshold(module, destination, level);
	free(copy);
	return 0;
}

static bool is_repeated(const struct log_module *module)
{
	for (const struct log_module *m = modules; m != module; m = m->next)
		if (!strcasecmp(m->name, module->name))
			return true;
	return false;
}

void log_for_each_module(log_module_cb *cb, void *aux)
{
	for (struct log_module *m = modules; m; m = m->next) {
		const char *levels[N_LOG_DESTINATIONS];

		if (is_repeated(m))
			continue;
		for (int d = 0; d < N_LOG_DESTINATIONS; d++)
			levels[d] = level_names[atomic_load(&m->threshold[d])];
		cb(m->name, levels, aux);
	}
}

static void add_line(const char *name, const char *const levels[], void *aux)
{
	char **text = aux;
	char *more = xasprintf("%s%-16s  %4s       %4s       %4s\n", *text,
			       name, levels[LOG_TO_CONSOLE],
			       levels[LOG_TO_SYSLOG], levels[LOG_TO_FILE]);

	free(*text);
	*text = more;
}

char *log_list(void)
{
	char *text =
		xasprintf("                 console    syslog    file\n"
			  "                 -------    ------    ------\n");

	log_for_each_module(add_line, &text);
	return text;
}

bool log_limit_pass(const struct log_module *module, enum log_level level,
		    struct log_limit *limit)
{
	struct timespec now;
	uint64_t old, new;
	uint32_t suppressed;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	old = atomic_load(&limit->window);
	do {
		if (old >> 32 != (uint32_t)now.tv_sec) {
			new = (uint64_t)(uint32_t)now.tv_sec << 32 | 1;
		} else if ((uint32_t)old < LIMIT_PER_SECOND) {
			new = old + 1;
		} else {
			atomic_fetch_add(&limit->suppressed, 1);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&limit->window, &old, new));
	suppressed = atomic_exchange(&limit->suppressed, 0);
	if (suppressed)
		log_write(module, level, "%u messages like the next left out",
			  suppressed);
	return true;
}

static void write_line(int fd, const char *line, size_t length)
{
	/* A full disk or a closed terminal must not stop the switch. */
	ssize_t n __attribute__((unused)) = write(fd, line, length);
}

void log_write(const struct log_module *module, enum log_level level,
	       const char *fmt, ...)
{
	static const int priority[N_LOG_LEVELS] = { LOG_DEBUG, LOG_ALERT,
						    LOG_ERR,   LOG_WARNING,
						    LOG_INFO,  LOG_DEBUG };
	char line[LINE_MAX_BYTES];
	int saved_errno = errno, prefix, n;
	struct timespec now;
	struct tm tm;
	va_list args;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	prefix = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	prefix += snprintf(line + prefix, sizeof(line) - prefix,
			   ".%03ldZ|%05u|%s|%s|", now.tv_nsec / 1000000,
			   atomic_fetch_add(&line_number, 1), module->name,
			   level_names[level]);
	for (char *c = strrchr(line, '|') - 1; *c != '|'; c--)
		*c -= *c >= 'a' && *c <= 'z' ? 'a' - 'A' : 0;
	va_start(args, fmt);
	n = vsnprintf(line + prefix, sizeof(line) - prefix - 1, fmt, args);
	va_end(args);
	n = prefix + MIN(MAX(n, 0), (int)sizeof(line) - prefix - 2);
	line[n++] = '\n';

	if (atomic_load(&module->threshold[LOG_TO_CONSOLE]) >= (int)level)
		write_line(STDERR_FILENO, line, n);
	if (atomic_load(&file_fd) >= 0 &&
	    atomic_load(&module->threshold[LOG_TO_FILE]) >= (int)level)
		write_line(atomic_load(&file_fd), line, n);
	if (atomic_load(&module->threshold[LOG_TO_SYSLOG]) >= (int)level) {
		line[n - 1] = '\0';
		syslog(priority[level], "%s|%s", module->name, line + prefix);
	}
	errno = saved_errno;
}
