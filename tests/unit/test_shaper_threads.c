/*
 * A shaper that threads put into while its home takes out, sleeps and is woken,
 * and the control thread changes its settings, as it does between snapshots.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/ticks.h"
#include "packet/packet.h"
#include "shape/shaper_home.h"

#define PUTTERS	 2
#define PACKETS	 20000
#define SETTINGS 200

struct lab {
	struct shaper_home *home;
	struct shaper *shaper;
	int wake_fd, taken_fd;
	_Atomic bool stop;
	_Atomic unsigned generation;
	unsigned taken; /* the home's */
	_Atomic uint64_t refused;
	uint64_t left; /* by whatever way */
	uint32_t last[PUTTERS];
	bool out_of_order;
};

static uint64_t now_ns(void)
{
	return ticks_to_ns(ticks_now());
}

static void wake(const struct lab *lab)
{
	uint64_t one = 1;

	assert_int_equal(write(lab->wake_fd, &one, sizeof(one)), 8);
}

static void sent(void *arg, const void *out, const struct shaper_batch *batch)
{
	struct lab *lab = arg;

	lab->left += batch->n + batch->n_full;
	for (unsigned i = 0; i < batch->n; i++) {
		uint32_t number = batch->sent[i].via, thread = number >> 24;

		/* Each thread is one flow, which keeps its order. */
		if ((number & 0xffffff) < lab->last[thread])
			lab->out_of_order = true;
		lab->last[thread] = number & 0xffffff;
		if (batch->packets[i].header[0] != 2)
			lab->out_of_order = true;
	}
}

static void take_over(struct lab *lab)
{
	unsigned generation = atomic_load(&lab->generation);
	uint64_t one = 1;

	if (generation == lab->taken)
		return;
	lab->taken = generation;
	shaper_home_begin(lab->home);
	shaper_home_serve(lab->home, lab->shaper, lab);
	shaper_home_end(lab->home, sent, lab);
	assert_int_equal(write(lab->taken_fd, &one, sizeof(one)), 8);
}

static void *run_home(void *arg)
{
	struct lab *lab = arg;

	while (!atomic_load(&lab->stop)) {
		struct pollfd fd = { .fd = lab->wake_fd, .events = POLLIN };
		uint64_t ns, count;

		take_over(lab);
		shaper_home_run(lab->home, now_ns(), sent, lab);
		ns = shaper_home_sleep(lab->home, now_ns());
		poll(&fd, 1,
		     ns == UINT64_MAX ? -1 : (int)((ns + 999999) / 1000000));
		shaper_home_awake(lab->home);
		if (fd.revents && read(lab->wake_fd, &count, 8) < 0)
			abort();
	}
	return NULL;
}

struct putter {
	struct lab *lab;
	uint32_t number;
	pthread_t thread;
};

static void *run_putter(void *arg)
{
	struct putter *me = arg;
	struct lab *lab = me->lab;
	uint8_t frame[1514] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };

	frame[11] = me->number;
	for (uint32_t i = 0; i < PACKETS; i++) {
		struct packet p;

		packet_init(&p, frame, 60 + i % 1400);
		packet_pull(&p, PACKET_PULL);
		lab->refused += shaper_put(lab->shaper, &p,
					   me->number << 24 | i, 0, now_ns());
		if (i % 16 == 0 || i == PACKETS - 1)
			shaper_wake(lab->shaper);
		if (i % 256 == 0)
			sched_yield();
	}
	return NULL;
}

/* As worker_pool_publish() does. */
static void publish(struct lab *lab)
{
	uint64_t count;

	atomic_fetch_add(&lab->generation, 1);
	wake(lab);
	assert_int_equal(read(lab->taken_fd, &count, sizeof(count)), 8);
}

static void threads_share(void **state)
{
	struct shaper_config config = {
		.average_bps = 1000000000,
		.n_queues = 1,
		.queues[0].dscp = SHAPER_DSCP_KEPT,
	};
	struct putter putters[PUTTERS];
	struct lab *lab = xcalloc(1, sizeof(*lab));
	struct shaper_stats stats;
	pthread_t home;

	ticks_init();
	lab->wake_fd = eventfd(0, EFD_NONBLOCK);
	lab->taken_fd = eventfd(0, 0);
	lab->home = shaper_home_create(lab->wake_fd);
	lab->shaper = shaper_create(&config);
	assert_true(shaper_home_adopt(lab->home, lab->shaper));
	pthread_create(&home, NULL, run_home, lab);
	publish(lab);
	for (unsigned i = 0; i < PUTTERS; i++) {
		putters[i] = (struct putter){ .lab = lab, .number = i };
		pthread_create(&putters[i].thread, NULL, run_putter,
			       &putters[i]);
	}
	for (unsigned i = 0; i < SETTINGS; i++) {
		config.average_bps = 500000000 + i * 10000000;
		config.n_queues = 1 + i % 2;
		config.queues[1].dscp = SHAPER_DSCP_KEPT;
		assert_true(shaper_configure(lab->shaper, &config));
		publish(lab);
		shaper_get_stats(lab->shaper, &stats, 1);
	}
	for (unsigned i = 0; i < PUTTERS; i++)
		pthread_join(putters[i].thread, NULL);
	atomic_store(&lab->stop, true);
	wake(lab);
	pthread_join(home, NULL);
	assert_int_equal(lab->left + lab->refused + shaper_destroy(lab->shaper),
			 PUTTERS * PACKETS);
	assert_false(lab->out_of_order);
	assert_true(lab->left > 0);
	shaper_home_destroy(lab->home);
	close(lab->wake_fd);
	close(lab->taken_fd);
	free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
