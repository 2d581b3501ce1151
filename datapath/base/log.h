/*
 * Logging: a level a module, to the console (stderr), a file and syslog, each
 * with its own threshold, all settable while the program runs.
 *
 * A file declares its module once, at its top:
 *
 *	LOG_MODULE(fdb);
 *
 * and then calls log_info("...") and the like; several files may name the same
 * module. Any thread may log. A line is one write(2). On the packet's way use
 * only the *_limited forms: they let through a few messages a second from each
 * place in the code and count the rest.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>

#include "base/util.h"

/* Names and order as Open vSwitch's: off < emer < err < warn < info < dbg. */
enum log_level {
	LOG_LEVEL_OFF,
	LOG_LEVEL_EMER,
	LOG_LEVEL_ERR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DBG,
	N_LOG_LEVELS
};

enum log_destination {
	LOG_TO_CONSOLE,
	LOG_TO_SYSLOG,
	LOG_TO_FILE,
	N_LOG_DESTINATIONS
};

struct log_module {
	const char *name;
	struct log_module *next;
	/* highest of the thresholds below: one load decides */
	_Atomic int max_level;
	_Atomic int threshold[N_LOG_DESTINATIONS];
};

struct log_limit {
	_Atomic uint64_t window; /* second << 32 | messages in it */
	_Atomic uint32_t suppressed;
};

#define LOG_MODULE(NAME)                                                       \
	static struct log_module this_log_module = { .name = #NAME };          \
	__attribute__((constructor)) static void log_module_init_##NAME(void)  \
	{                                                                      \
		log_register(&this_log_module);                                \
	}                                                                      \
	_Static_assert(1, "")

#define log_at(level, ...)                                                     \
	do {                                                                   \
		if (atomic_load_explicit(&this_log_module.max_level,           \
					 memory_order_relaxed) >=              \
		    (int)(level))                                              \
			log_write(&this_log_module, level, __VA_ARGS__);       \
	} while (0)

#define log_emer(...) log_at(LOG_LEVEL_EMER, __VA_ARGS__)
#define log_err(...)  log_at(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_dbg(...)  log_at(LOG_LEVEL_DBG, __VA_ARGS__)

/* At most five messages a second from this place in the code. */
#define log_limited(level, ...)                                                \
	do {                                                                   \
		static struct log_limit limit__;                               \
		if (atomic_load_explicit(&this_log_module.max_level,           \
					 memory_order_relaxed) >=              \
			    (int)(level) &&                                    \
		    log_limit_pass(&this_log_module, level, &limit__))         \
			log_write(&this_log_module, level, __VA_ARGS__);       \
	} while (0)

#define log_err_limited(...)  log_limited(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn_limited(...) log_limited(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info_limited(...) log_limited(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_dbg_limited(...)  log_limited(LOG_LEVEL_DBG, __VA_ARGS__)

/*
 * Names the program in log lines. Before this, and unless told otherwise
 * later, the console shows warnings and worse, the file info and worse, and
 * syslog nothing.
 */
void log_init(const char *program);

/*
 * Opens (or, with NULL, reopens after a rotation) the log file. Control
 * thread. Returns 0 or -errno with a message in *errp.
 */
int log_set_file(const char *path, char **errp);

/*
 * Sets thresholds from words as Open vSwitch's `vlog/set` takes them:
 * "[MODULE][:DESTINATION][:LEVEL]" in any order, "ANY" for all modules, e.g.
 * "dbg", "fdb:dbg", "ANY:console:warn". Returns 0, or -EINVAL with a message.
 */
int log_set(const char *spec, char **errp);

/*
 * The table of modules and thresholds as text, one line a module, for a person.
 * The caller frees it.
 */
char *log_list(void);

/* levels: the names of the thresholds, by destination. */
typedef void log_module_cb(const char *name, const char *const levels[],
			   void *aux);
/* Calls cb once for each name of a module. */
void log_for_each_module(log_module_cb *cb, void *aux);

const char *log_level_name(enum log_level level);

/* What the macros above call. */
void log_register(struct log_module *module);
void log_write(const struct log_module *module, enum log_level level,
	       const char *fmt, ...) PRINTF_LIKE(3, 4);
bool log_limit_pass(const struct log_module *module, enum log_level level,
		    struct log_limit *limit);

#endif
