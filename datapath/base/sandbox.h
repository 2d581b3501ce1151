/*
 * Giving up what is not needed: capabilities of the whole process at its start,
 * and system calls of the threads that touch strangers' frames.
 *
 * Built with a sanitizer both do nothing: its runtime needs more.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include "base/util.h"

/* Whether this is built with a sanitizer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/*
 * The calling thread, and all that it starts later, keep of the capabilities
 * they have only those to work with network devices (CAP_NET_ADMIN,
 * CAP_NET_RAW, CAP_BPF), to lock memory (CAP_IPC_LOCK) and to listen on the
 * host's lower ports (CAP_NET_BIND_SERVICE); and nobody gains any by exec. Call
 * before any thread is started. When `file` (may be NULL) is to be made and
 * renamed in a directory of another user, CAP_DAC_OVERRIDE stays as well.
 * Failing is logged, not fatal.
 *
 * What it takes to use other users' files (CAP_DAC_OVERRIDE, CAP_CHOWN,
 * CAP_FOWNER) is kept but not in force: see sandbox_files_begin().
 */
void sandbox_drop_capabilities(const char *file);

/*
 * Between the two, the calling thread may use files and sockets of other users,
 * and give its own to them, as far as the process could at its start. Kept to
 * the few calls that need it, for what it names was told by an administrator.
 */
void sandbox_files_begin(void);
void sandbox_files_end(void);
/* A thread that never will: gives that up for good. */
void sandbox_files_forget(void);

/* Has effect on threads that call sandbox_enter_worker() afterwards. */
void sandbox_enable_filters(void);

/*
 * A worker, once, at its start: from here on it may move frames, sleep, wait
 * and give memory back, and can use no file of others. Other system calls fail
 * with EPERM; those that only an intruder would make end the process. Does
 * nothing before sandbox_enable_filters().
 */
void sandbox_enter_worker(void);

/*
 * The same for a thread that speaks for machines by the host's own sockets: it
 * may make sockets of IP and Unix, and keeps of its capabilities those to
 * listen on lower ports and to send pings.
 */
void sandbox_enter_sockets(void);

#endif
