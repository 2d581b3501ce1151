/* The receive arena of a thread (rx_arena.h). */
#include "port/rx_arena.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ARENA_BYTES ((size_t)RX_ARENA_SLOTS * RX_ARENA_STRIDE)

static __thread uint8_t *thread_arena;
static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void unmap_arena(void *arena)
{
	munmap(arena, ARENA_BYTES);
}

static void make_key(void)
{
	/* Without a key the arena is merely not freed at the thread's end. */
	if (pthread_key_create(&key, unmap_arena))
		key = (pthread_key_t)-1;
}

static uint8_t *make_arena(void)
{
	void *p = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		fputs("out of memory\n", stderr);
		abort();
	}
	pthread_once(&key_once, make_key);
	if (key != (pthread_key_t)-1)
		pthread_setspecific(key, p);
	return p;
}

uint8_t *rx_arena(void)
{
	if (unlikely(!thread_arena))
		thread_arena = make_arena();
	return thread_arena;
}
