#include "tests/unit/switch_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "forward/trace.h"

struct fixture *fixture_create(void)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->snapshot = fwd_snapshot_create(1);
	f->pipeline = pipeline_create(0);
	f->traces = true;
	return f;
}

void fixture_destroy(struct fixture *f)
{
	for (unsigned i = 0; i < f->snapshot->n_bridges; i++)
		fdb_destroy(f->snapshot->bridges[i]->fdb);
	fwd_snapshot_destroy(f->snapshot);
	for (unsigned i = 0; i < f->n_ports; i++)
		port_close(f->ports[i].port);
	pipeline_destroy(f->pipeline);
	free(f);
}

struct fwd_bridge *fixture_bridge(struct fixture *f, const char *name)
{
	struct fdb_config config = { .max_entries = FDB_SIZE_DEFAULT,
				     .age_s = FDB_AGE_DEFAULT,
				     .seed = 1 };

	return fwd_snapshot_add_bridge(f->snapshot, name, fdb_create(&config));
}

static bool remember(struct packet *p, unsigned thread, void *port_)
{
	struct fixture_port *port = port_;

	if (port->n_sent < FIXTURE_FRAMES) {
		struct sent_frame *s = &port->sent[port->n_sent];

		s->len = p->len;
		packet_read(p, 0, s->data, sizeof(s->data));
	}
	port->n_sent++;
	return true;
}

struct fixture_port *fixture_device(struct fixture *f)
{
	struct port_config config = { .type = "null", .n_threads = 2 };
	struct fixture_port *p = &f->ports[f->n_ports];
	char name[16];

	snprintf(name, sizeof(name), "p%u", f->n_ports++);
	config.name = name;
	assert_int_equal(port_open(&config, &p->port, NULL), 0);
	null_set_sink(p->port, remember, p);
	return p;
}

struct fixture_port *fixture_bond_member(struct fixture *f,
					 struct fixture_port *bond,
					 unsigned filter)
{
	struct fixture_port *p = fixture_device(f);

	p->fwd = fwd_bond_add_member(bond->fwd, p->port, filter);
	return p;
}

struct fixture_port *fixture_port(struct fixture *f, struct fwd_bridge *bridge,
				  const struct vlan_config *vlan)
{
	static const struct vlan_config trunk = { .mode = VLAN_TRUNK };
	struct fixture_port *p = fixture_device(f);

	p->fwd = fwd_bridge_add_port(bridge, p->port, bridge->n_ports + 1,
				     vlan ? vlan : &trunk);
	return p;
}

void fixture_forget(struct fixture *f)
{
	for (unsigned i = 0; i < f->n_ports; i++)
		f->ports[i].n_sent = 0;
}

void fixture_burst(struct fixture *f, struct fixture_port *in,
		   const struct iovec frames[], unsigned n)
{
	struct packet *packets = xcalloc_aligned(n, sizeof(*packets));

	for (unsigned i = 0; i < n; i++)
		packet_init(&packets[i], frames[i].iov_base, frames[i].iov_len);
	pipeline_run(f->pipeline, in->fwd, packets, n);
	free(packets);
}

/* What a port has sent and dropped before a frame, to compare with. */
struct before {
	struct port_counters counters;
	unsigned n_sent;
};

static void note(const struct fixture *f, struct before before[])
{
	for (unsigned i = 0; i < f->n_ports; i++) {
		port_get_counters(f->ports[i].port, &before[i].counters);
		before[i].n_sent = f->ports[i].n_sent;
	}
}

static void assert_untouched(const struct fixture *f,
			     const struct before before[])
{
	struct port_counters now;

	for (unsigned i = 0; i < f->n_ports; i++) {
		assert_int_equal(f->ports[i].n_sent, before[i].n_sent);
		port_get_counters(f->ports[i].port, &now);
		assert_memory_equal(&now, &before[i].counters, sizeof(now));
	}
}

/* Outputs of a port in a trace, compared with what the port has sent since. */
static void compare_outputs(const struct trace *t, const struct fixture_port *p,
			    unsigned before)
{
	const struct trace_step *step;
	unsigned n, at = before;

	for (step = trace_steps(t, &n); n--; step++) {
		const struct sent_frame *sent = &p->sent[at];

		if (step->kind != TRACE_OUTPUT ||
		    strcmp(step->port, p->port->name) != 0)
			continue;
		if (++at > MIN(p->n_sent, (unsigned)FIXTURE_FRAMES))
			continue;
		assert_int_equal(step->frame_len, sent->len);
		assert_memory_equal(step->frame, sent->data,
				    MIN(sent->len, sizeof(sent->data)));
	}
	assert_int_equal(at, p->n_sent);
}

static void compare_drops(const struct trace *t, const struct fixture_port *p,
			  const struct port_counters *before)
{
	const struct trace_step *step;
	struct port_counters now;
	unsigned n;

	port_get_counters(p->port, &now);
	for (step = trace_steps(t, &n); n--; step++)
		if (step->kind == TRACE_DROP &&
		    !strcmp(step->port, p->port->name))
			now.drops[step->reason] -= step->n;
	for (unsigned i = 0; i < N_DROP_REASONS; i++)
		if (now.drops[i] != before->drops[i])
			fail_msg("the trace is %lld off in drops by %s",
				 (long long)(now.drops[i] - before->drops[i]),
				 drop_reason_name(i));
}

/* The trace says what then happens, and changes nothing. */
static void trace_frame(struct fixture *f, struct fixture_port *in,
			const struct iovec *frame)
{
	struct before *before = xcalloc(f->n_ports, sizeof(*before));
	struct trace *t = trace_create(f->snapshot);

	note(f, before);
	assert_int_equal(trace_run(t, in->fwd, frame->iov_base, frame->iov_len),
			 0);
	assert_untouched(f, before);
	fixture_burst(f, in, frame, 1);
	for (unsigned i = 0; i < f->n_ports; i++) {
		compare_outputs(t, &f->ports[i], before[i].n_sent);
		compare_drops(t, &f->ports[i], &before[i].counters);
	}
	trace_destroy(t);
	free(before);
}

void fixture_frame(struct fixture *f, struct fixture_port *in, const void *data,
		   uint32_t len)
{
	/* In memory of exactly its length, so that a sanitizer sees overruns.
	 */
	void *copy = xmalloc(len);
	struct iovec frame = { copy, len };

	memcpy(copy, data, len);
	if (f->traces)
		trace_frame(f, in, &frame);
	else
		fixture_burst(f, in, &frame, 1);
	free(copy);
}

uint64_t fixture_drops(const struct fixture_port *p, enum drop_reason reason)
{
	struct port_counters total;

	port_get_counters(p->port, &total);
	return total.drops[reason];
}

uint32_t make_frame(uint8_t *to, uint8_t dst, uint8_t src, const uint32_t *tags)
{
	static const uint8_t base[6] = { 0x02, 0, 0, 0, 0, 0 };
	uint8_t *at = to + 12;

	memcpy(to, base, 6);
	memcpy(to + 6, base, 6);
	to[5] = dst;
	to[11] = src;
	if (dst == 0xff)
		memset(to, 0xff, 6);
	for (; tags && *tags; tags++, at += 4)
		store_be32(at, *tags);
	store_be16(at, 0x88b5); /* for local experiments */
	for (unsigned i = 0; i < 46; i++)
		at[2 + i] = i;
	return at + 2 + 46 - to;
}
