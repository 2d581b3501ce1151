/* Small things that every file may use. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE	  64
#define CACHE_ALIGNED	  __attribute__((aligned(CACHE_LINE)))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_CHECK	  __attribute__((warn_unused_result))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a)	   (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	   ((a) < (b) ? (a) : (b))
#define MAX(a, b)	   ((a) > (b) ? (a) : (b))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define CONTAINER_OF(ptr, type, member)                                        \
	((type *)((char *)(ptr)-offsetof(type, member)))

/*
 * Allocation for the control side: never returns NULL. Running out of memory
 * there ends the process with a message, since no configuration could be
 * trusted afterwards. Free with free(). The packet's way allocates nothing.
 */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) MUST_CHECK;
/* The same, aligned to a cache line and zeroed. */
void *xcalloc_aligned(size_t n, size_t size) __attribute__((malloc));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * Replaces *errp, when errp is not NULL, by a newly allocated message for a
 * person (what failed, on what, why, what to do); the caller of the function
 * that sets it frees it. Returns `error`, so that a failing function can end
 * with `return set_error(errp, -EINVAL, "...")`.
 */
int set_error(char **errp, int error, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Rounds up to a power of two; n from 1 to 2^31. */
static inline uint32_t round_up_pow2(uint32_t n)
{
	return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

#endif
