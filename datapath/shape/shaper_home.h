/*
 * A worker's shapers: it alone takes packets out of them. Other threads that
 * have put something leave a bit, and wake it if it sleeps; what waits for its
 * time is in a heap by when that is. So a shaper that has nothing costs
 * nothing.
 */
#ifndef SHAPE_SHAPER_HOME_H
#define SHAPE_SHAPER_HOME_H

#include "packet/drop.h"
#include "shape/shaper.h"

#define SHAPER_BATCH	256 /* segments of memory; fewer packets */
#define SHAPER_SENT_MAX 64
#define SHAPERS_MAX	4096 /* of a home */

/* What a shaper lets go, in order; valid until the function it is given to
 * returns. */
struct shaper_batch {
	unsigned n;
	struct shaper_sent {
		uint32_t via;
		uint8_t depth;
		/* It leaves; or why it does not: enum drop_reason. */
		bool dropped;
		uint8_t reason;
	} sent[SHAPER_SENT_MAX];
	unsigned n_full; /* packets that are gone: DROP_QUEUE_FULL */
	unsigned n_segments;
	uint32_t first[SHAPER_SENT_MAX]; /* shaper's */
	struct packet packets[SHAPER_SENT_MAX];
	struct packet_segment segments[SHAPER_BATCH];
};

struct shaper_home;

/* Control thread. wake_fd: an eventfd that ends the worker's sleep. */
struct shaper_home *shaper_home_create(int wake_fd);
/* When its worker has ended. Shapers that stay have no home then. */
void shaper_home_destroy(struct shaper_home *h);
/*
 * Control thread, before workers can see the shaper in a snapshot. It stays
 * where it was until its home or it is destroyed. False: SHAPERS_MAX.
 */
bool shaper_home_adopt(struct shaper_home *h, struct shaper *s);
bool shaper_has_home(const struct shaper *s);
unsigned shaper_home_count(const struct shaper_home *h);

/* The worker's. A function that is handed what leaves, and by what. */
typedef void shaper_send_cb(void *arg, const void *out,
			    const struct shaper_batch *batch);

/*
 * Another snapshot: begin; serve() for each of its shapers that is of this
 * home, which takes over its settings; end, which empties those that are no
 * more (DROP_SHAPER_GONE) and forgets them.
 */
void shaper_home_begin(struct shaper_home *h);
void shaper_home_serve(struct shaper_home *h, struct shaper *s,
		       const void *out);
void shaper_home_end(struct shaper_home *h, shaper_send_cb *send, void *arg);
bool shaper_is_at(const struct shaper *s, const struct shaper_home *h);

/* Whether run() has anything to do; costs two loads. */
bool shaper_home_is_due(const struct shaper_home *h, uint64_t now_ns);
/* Lets go what may go now: a batch of each at most. Returns packets sent. */
unsigned shaper_home_run(struct shaper_home *h, uint64_t now_ns,
			 shaper_send_cb *send, void *arg);
/* Whether it serves any. */
bool shaper_home_serves(const struct shaper_home *h);
/*
 * Before it sleeps. How long it may, in nanoseconds: 0 not at all, UINT64_MAX
 * without end; who puts something from now on wakes it.
 */
uint64_t shaper_home_sleep(struct shaper_home *h, uint64_t now_ns);
void shaper_home_awake(struct shaper_home *h);

#endif
