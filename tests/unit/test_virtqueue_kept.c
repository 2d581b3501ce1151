/*
 * A device that is killed, and another that goes on with the same packed rings
 * and what was kept of them, told by a front end that remembers nothing.
 *
 * The device runs in a process of its own which is gone through step by step,
 * by single instructions; each state that the ring and what is kept go through
 * is one that a crash can leave.
 */
#include "virtqueue_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "vhost/virtqueue_internal.h"

#define RING	   16
#define BEGIN	   DRIVER_PACKED_BEGIN
#define STATES_MAX 400

static struct bed bed;
static struct virtqueue_kept *kept; /* shared with the child */

/* --- a device in place of another ----------------------------------------- */

static struct virtqueue *device(const struct driver_queue *q, uint32_t base)
{
	struct virtqueue *vq = virtqueue_create("guest", q->config.from_guest);
	struct virtqueue_setup setup;

	driver_setup(q, &setup);
	setup.kept = kept;
	setup.base = base;
	virtqueue_take(vq);
	virtqueue_set_memory(vq, bed.memory.view);
	assert_int_equal(virtqueue_start(vq, &setup, NULL), 0);
	virtqueue_enable(vq, true);
	virtqueue_release(vq);
	return vq;
}

static struct virtqueue **other(const struct driver_queue *q)
{
	return q->config.from_guest ? &bed.from : &bed.to;
}

static void take_over(const struct driver_queue *q, uint32_t base)
{
	virtqueue_destroy(*other(q));
	*other(q) = device(q, base);
}

static void open_bed(uint64_t features, bool from_guest)
{
	struct bed_config c = { .features = features | PACKED,
				.size = RING,
				.buffer = 2000 };

	bed_open(&bed, &c);
	memset(kept, 0, sizeof(*kept));
	take_over(from_guest ? bed.tx : bed.rx, BEGIN);
}

/* --- every state that a crash can leave ----------------------------------- */

struct state {
	struct vring_packed_desc ring[RING];
	struct virtqueue_kept kept;
};

static uint8_t *ram; /* the guest's memory before */
static struct state states[STATES_MAX];
static unsigned n_states;

static void look(const struct driver_queue *q, struct state *state)
{
	memcpy(state->ring, q->ring, sizeof(state->ring));
	state->kept = *kept;
}

static void note_state(const struct driver_queue *q)
{
	struct state now;

	look(q, &now);
	if (n_states && !memcmp(&states[n_states - 1], &now, sizeof(now)))
		return;
	assert_true(n_states < STATES_MAX);
	states[n_states++] = now;
}

/* Runs act() in a child until each change that it makes was seen. */
static void step_through(const struct driver_queue *q, void (*act)(void))
{
	pid_t child;
	int status;

	ram = xmalloc(bed.memory.size);
	memcpy(ram, bed.memory.ram, bed.memory.size);
	n_states = 0;
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	while (!WIFEXITED(status)) {
		assert_true(WIFSTOPPED(status));
		note_state(q);
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL),
				 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	note_state(q);
}

/* check() with each of them, in a process of its own. */
static void check_all(struct driver_queue *q, void (*check)(void))
{
	for (unsigned i = 0; i < n_states; i++) {
		pid_t child;
		int status;

		memcpy(bed.memory.ram, ram, bed.memory.size);
		memcpy(q->ring, states[i].ring, sizeof(states[i].ring));
		*kept = states[i].kept;
		child = fork();
		if (!child) {
			alarm(60);
			check();
			_exit(bed.tx->error || bed.rx->error ||
			      virtqueue_broken(bed.from) ||
			      virtqueue_broken(bed.to));
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		if (status)
			fail_msg("state %u of %u: status %#x", i, n_states,
				 status);
	}
	free(ram);
}

#define must(x) must_(x, __LINE__)
static void must_(bool what, int line)
{
	if (!what)
		fprintf(stderr, "line %d\n", line), _exit(2);
}

/* --- the guest sends ------------------------------------------------------ */

static unsigned first; /* number of the first frame of the burst */

static void done(void)
{
	virtqueue_done(bed.from);
}

static unsigned number_of(const struct packet *p)
{
	uint8_t bytes[4];

	packet_read(p, 8, bytes, sizeof(bytes));
	return load_be32(bytes);
}

/* The burst of five has been given back, or comes again in part; no more. */
static void sent_go_on(void)
{
	unsigned n, again, i;

	take_over(bed.tx, BEGIN);
	n = bed_receive(&bed, 32);
	must(n >= 2 && n <= 7);
	again = n - 2;
	for (i = 0; i < n; i++)
		must(number_of(&bed.packets[i]) == first + 5 - again + i);
	virtqueue_done(bed.from);
	must(driver_reclaim(bed.tx) == 7);
	/* and a second time, after nothing but that */
	take_over(bed.tx, BEGIN);
	must(!bed_receive(&bed, 32));
	for (i = 0; i < 40; i++) {
		bed_put(&bed, NULL, i, 60);
		driver_publish(bed.tx);
		must(bed_receive(&bed, 32) == 1);
		virtqueue_done(bed.from);
		must(driver_reclaim(bed.tx) == 1);
		if (i % 3 == 0)
			take_over(bed.tx, BEGIN);
	}
}

static void try_sent(uint64_t features, const struct driver_layout *layout,
		     unsigned turns)
{
	open_bed(features, true);
	for (first = 0; first < turns; first++) {
		bed_put(&bed, layout, first, 60);
		driver_publish(bed.tx);
		assert_int_equal(bed_receive(&bed, 32), 1);
		virtqueue_done(bed.from);
		assert_int_equal(driver_reclaim(bed.tx), 1);
	}
	for (unsigned i = 0; i < 7; i++)
		bed_put(&bed, layout, first + i, 60);
	driver_publish(bed.tx);
	assert_int_equal(bed_receive(&bed, 5), 5);
	step_through(bed.tx, done);
	assert_true(n_states > 2);
	check_all(bed.tx, sent_go_on);
	virtqueue_done(bed.from);
	bed.broken_on_purpose = true;
	bed_close(&bed);
}

static void killed_while_giving_back(void **state)
{
	static const struct driver_layout chains = { .own_header = true };
	/* from the ring's beginning, and over its end, in laps of both kinds */
	static const unsigned turns[] = { 0, 3, 13, 16, 29 };

	for (unsigned i = 0; i < ARRAY_SIZE(turns); i++) {
		try_sent(0, NULL, turns[i]);
		try_sent(IN_ORDER, NULL, turns[i]);
		try_sent(EVENT_IDX, &chains, turns[i]);
		try_sent(IN_ORDER, &chains, turns[i]);
	}
}

/* --- the guest receives --------------------------------------------------- */

static void send_three(void)
{
	struct packet *p[3];

	for (unsigned i = 0; i < 3; i++) {
		p[i] = &bed.packets[i];
		packet_init(p[i], numbered_frame(i, 60), 60);
	}
	virtqueue_send(bed.to, p, 3, bed.drops, &bed.bytes);
}

/* Three or none; of a burst that was cut short, of no length. */
static void received_go_on(void)
{
	unsigned n_out;

	take_over(bed.rx, BEGIN);
	take_over(bed.rx, BEGIN);
	n_out = bed.rx->n_out;
	driver_reclaim(bed.rx);
	must(bed.rx->n_out == n_out || bed.rx->n_out == n_out - 3);
	for (unsigned i = 0; i < 40; i++) {
		driver_put_buffers(bed.rx, NULL, 200);
		driver_publish(bed.rx);
		must(bed_send(&bed, i, 60));
		must(driver_take_frame(bed.rx, &bed.frame));
		must(!memcmp(bed.frame.data, numbered_frame(i, 60), 60));
		if (i % 3 == 0)
			take_over(bed.rx, BEGIN);
	}
}

static void try_received(uint64_t features, const struct driver_layout *layout,
			 unsigned turns)
{
	open_bed(features, false);
	for (unsigned i = 0; i < turns; i++) {
		driver_put_buffers(bed.rx, layout, 200);
		driver_publish(bed.rx);
		assert_true(bed_send(&bed, i, 60));
		assert_taken(&bed, i, 60);
	}
	driver_put_buffers(bed.rx, layout, 200);
	driver_publish(bed.rx);
	step_through(bed.rx, send_three);
	assert_true(n_states > 3);
	check_all(bed.rx, received_go_on);
	bed.broken_on_purpose = true;
	bed_close(&bed);
}

static void killed_while_sending(void **state)
{
	static const struct driver_layout chains = { .own_header = true };
	static const unsigned turns[] = { 0, 3, 14, 16, 30 };

	for (unsigned i = 0; i < ARRAY_SIZE(turns); i++) {
		try_received(0, NULL, turns[i]);
		try_received(MERGEABLE, NULL, turns[i]);
		try_received(IN_ORDER, NULL, turns[i]);
		try_received(0, &chains, turns[i]);
	}
}

/* --- what is not to be believed ------------------------------------------- */

/* A guest's driver that begins the ring anew, with n buffers in it. */
static void begin_anew(struct driver_queue **q, unsigned n)
{
	struct driver_config config = (*q)->config;
	struct driver_queue *old = *q;
	struct vring_packed_desc *at = old->ring;

	/* another ring of the same kind, brought to the place of the old one */
	*q = driver_create(&bed.memory, &config);
	memset(at, 0, RING * sizeof(*at));
	(*q)->ring = at;
	(*q)->desc_at = old->desc_at;
	for (unsigned i = 0; i < n; i++)
		if (config.from_guest)
			bed_put(&bed, NULL, 100 + i, 60);
		else
			driver_put_buffer(*q, NULL, 200);
	driver_publish(*q);
	old->ring = NULL;
	driver_destroy(old);
}

static void a_new_ring_is_seen(void **state)
{
	static const unsigned n_new[] = { 0, 1, 2, 5, RING - 1, RING };

	for (unsigned turns = 1; turns < 3 * RING; turns++) {
		for (unsigned k = 0; k < ARRAY_SIZE(n_new); k++) {
			open_bed(0, true);
			for (unsigned i = 0; i < turns; i++) {
				bed_put(&bed, NULL, i, 60);
				driver_publish(bed.tx);
				assert_int_equal(bed_receive(&bed, 32), 1);
				virtqueue_done(bed.from);
				assert_int_equal(driver_reclaim(bed.tx), 1);
			}
			begin_anew(&bed.tx, n_new[k]);
			take_over(bed.tx, BEGIN);
			assert_int_equal(bed_receive(&bed, 32), n_new[k]);
			if (n_new[k]) {
				assert_packet(&bed, 0, 100, 60);
				virtqueue_done(bed.from);
			}
			assert_int_equal(driver_reclaim(bed.tx), n_new[k]);
			bed_close(&bed);
		}
	}
}

static void a_new_ring_of_buffers_is_seen(void **state)
{
	static const unsigned n_new[] = { 1, 5, RING - 1, RING };

	for (unsigned turns = 1; turns < 3 * RING; turns++) {
		for (unsigned k = 0; k < ARRAY_SIZE(n_new); k++) {
			open_bed(0, false);
			for (unsigned i = 0; i < turns; i++) {
				driver_put_buffers(bed.rx, NULL, 200);
				driver_publish(bed.rx);
				assert_true(bed_send(&bed, i, 60));
				assert_taken(&bed, i, 60);
			}
			begin_anew(&bed.rx, n_new[k]);
			take_over(bed.rx, BEGIN);
			assert_true(bed_send(&bed, 7, 60));
			assert_taken(&bed, 7, 60);
			bed_close(&bed);
		}
	}
}

/* Rubbish is checked as a front end's region is. */
static void rubbish(void **state)
{
	for (unsigned seed = 0; seed < 300; seed++) {
		open_bed(0, true);
		bed.broken_on_purpose = true;
		for (unsigned i = 0; i < 10; i++)
			bed_put(&bed, NULL, i, 60);
		driver_publish(bed.tx);
		fill((uint8_t *)kept, sizeof(*kept), seed);
		if (seed & 1) { /* a beginning that is right */
			kept->region[1] = 1 | RING << 16;
			kept->region[2] &= 0x000f000full;
		}
		take_over(bed.tx, BEGIN);
		if (bed_receive(&bed, 32))
			virtqueue_done(bed.from);
		bed_close(&bed);
	}
}

static int setup(void **state)
{
	log_set("ANY:console:off", NULL);
	kept = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return kept == MAP_FAILED;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_while_giving_back),
		cmocka_unit_test(killed_while_sending),
		cmocka_unit_test(a_new_ring_is_seen),
		cmocka_unit_test(a_new_ring_of_buffers_is_seen),
		cmocka_unit_test(rubbish),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
