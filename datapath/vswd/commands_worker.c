/* worker/show and worker/clear, memory/show and coverage/show. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ticks.h"
#include "vswd/commands.h"
#include "vswd/switch.h"

typedef unsigned long long ull;

/* --- worker/show ------------------------------------------------------- */

static double ratio(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / whole : 0;
}

/* To one digit behind the point, for JSON. */
static json_t *rounded(double number)
{
	return json_real(round(number * 10) / 10);
}

static void queue_text(struct text *text, const struct fwd_rxq *rxq,
		       const struct worker_queue_stats *s)
{
	text_add(text,
		 "  port: %-15s  queue-id: %-3u  packets: %llu  bursts: %llu  "
		 "packets per burst: %.1f  cycles per packet: %.0f  "
		 "usage: %.1f %%%s\n",
		 rxq->rxq->port->name, rxq->rxq->index, (ull)s->packets,
		 (ull)s->bursts, ratio(s->packets, s->bursts),
		 ratio(s->busy, s->packets), 100 * ratio(s->busy, s->elapsed),
		 rxq->queue->pinned ? "  (pinned)" : "");
}

static json_t *queue_json(const struct fwd_rxq *rxq,
			  const struct worker_queue_stats *s)
{
	return json_pack(
		"{s:s, s:i, s:b, s:I, s:I, s:o, s:o, s:o}", "port",
		rxq->rxq->port->name, "queue", (int)rxq->rxq->index, "pinned",
		(int)rxq->queue->pinned, "packets", (json_int_t)s->packets,
		"bursts", (json_int_t)s->bursts, "packets_per_burst",
		rounded(ratio(s->packets, s->bursts)), "cycles_per_packet",
		rounded(ratio(s->busy, s->packets)), "usage_percent",
		rounded(100 * ratio(s->busy, s->elapsed)));
}

/* Adds the worker's queues to the text, and returns them as an array. */
static json_t *show_queues(const struct fwd_snapshot *s, unsigned worker,
			   struct text *text)
{
	json_t *queues = json_array();

	for (unsigned i = 0; s && i < s->n_rxqs; i++) {
		struct worker_queue_stats stats;

		if (s->rxqs[i].worker != worker)
			continue;
		worker_get_queue_stats(s->rxqs[i].queue, &stats);
		queue_text(text, &s->rxqs[i], &stats);
		json_array_append_new(queues, queue_json(&s->rxqs[i], &stats));
	}
	return queues;
}

static void worker_text(struct text *text, unsigned worker,
			const struct worker_stats *s)
{
	text_add(text, "worker %u:\n", worker);
	text_add(text, "  core: %d%s\n", s->core, s->bound ? " (bound)" : "");
	text_add(text, "  packets: %llu\n  bursts: %llu\n", (ull)s->packets,
		 (ull)s->bursts);
	text_add(text, "  packets per burst: %.1f\n",
		 ratio(s->packets, s->bursts));
	text_add(text, "  busy cycles per packet: %.0f\n",
		 ratio(s->busy, s->packets));
	text_add(text, "  busy: %.3f s of %.3f s\n", ticks_to_ns(s->busy) / 1e9,
		 ticks_to_ns(s->elapsed) / 1e9);
	text_add(text, "  idle: %.1f %% (asleep: %.1f %%)\n",
		 100 - 100 * ratio(s->busy, s->elapsed),
		 100 * ratio(s->asleep, s->elapsed));
	text_add(text, "  idle polls: %llu\n  sleeps: %llu\n",
		 (ull)s->idle_polls, (ull)s->sleeps);
}

static json_t *worker_json(unsigned worker, const struct worker_stats *s,
			   json_t *queues)
{
	return json_pack(
		"{s:i, s:i, s:b, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:o, s:I, "
		"s:I, s:o}",
		"worker", (int)worker, "core", s->core, "bound", (int)s->bound,
		"packets", (json_int_t)s->packets, "bursts",
		(json_int_t)s->bursts, "packets_per_burst",
		rounded(ratio(s->packets, s->bursts)), "cycles_per_packet",
		rounded(ratio(s->busy, s->packets)), "elapsed_ns",
		(json_int_t)ticks_to_ns(s->elapsed), "busy_ns",
		(json_int_t)ticks_to_ns(s->busy), "asleep_ns",
		(json_int_t)ticks_to_ns(s->asleep), "idle_percent",
		rounded(100 - 100 * ratio(s->busy, s->elapsed)), "idle_polls",
		(json_int_t)s->idle_polls, "sleeps", (json_int_t)s->sleeps,
		"queues", queues);
}

static void cmd_worker_show(struct control_request *request, int argc,
			    const char *const argv[], void *aux)
{
	const struct vswitch *vs = aux;
	unsigned n = vs->pool ? worker_pool_count(vs->pool) : 0;
	json_t *workers = json_array();
	struct text text = { 0 };

	for (unsigned w = 0; w < n; w++) {
		struct worker_stats s;
		json_t *queues;

		worker_pool_get_stats(vs->pool, w, &s);
		worker_text(&text, w, &s);
		queues = show_queues(vs->snapshot, w, &text);
		json_array_append_new(workers, worker_json(w, &s, queues));
	}
	command_reply(request, &text, workers);
}

static void cmd_worker_clear(struct control_request *request, int argc,
			     const char *const argv[], void *aux)
{
	const struct vswitch *vs = aux;

	if (vs->pool)
		worker_pool_clear_stats(vs->pool);
	control_reply(request, "");
}

/* --- what grows, and what happened ------------------------------------- */

static long resident_kb(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

/* What grows with use, under Open vSwitch's heading: "name:count ...". */
static void cmd_memory_show(struct control_request *request, int argc,
			    const char *const argv[], void *aux)
{
	const struct vswitch *vs = aux;
	unsigned bridges = 0, entries = 0;
	struct text text = { 0 };
	struct fdb_stats s;

	for (struct bridge *b = vs->bridges; b; b = b->next) {
		fdb_get_stats(b->fdb, &s);
		bridges++;
		entries += s.entries + s.static_entries;
	}
	if (control_wants_json(request)) {
		command_reply_json(request,
				   json_pack("{s:i, s:i, s:i, s:i}", "bridges",
					     (int)bridges, "ports",
					     (int)vs->vports.n, "fdb_entries",
					     (int)entries, "resident_kb",
					     (int)resident_kb()));
		return;
	}
	text_add(&text, "bridges:%u ports:%zu fdb-entries:%u resident-kB:%ld\n",
		 bridges, vs->vports.n, entries, resident_kb());
	command_reply_text(request, &text);
}

struct event_count {
	const char *name;
	ull n;
};

/* How often things happened, one line each. */
static void cmd_coverage_show(struct control_request *request, int argc,
			      const char *const argv[], void *aux)
{
	const struct vswitch *vs = aux;
	struct event_count counts[] = {
		{ "snapshot_published", vs->generation },
		{ "fdb_learned", 0 },
		{ "fdb_moved", 0 },
		{ "fdb_expired", 0 },
		{ "fdb_evicted", 0 },
		{ "fdb_refused", 0 },
		{ "fdb_flushed", 0 },
	};
	struct text text = { 0 };
	json_t *json = json_object();
	struct fdb_stats s;

	for (struct bridge *b = vs->bridges; b; b = b->next) {
		fdb_get_stats(b->fdb, &s);
		counts[1].n += s.learned;
		counts[2].n += s.moved;
		counts[3].n += s.aged;
		counts[4].n += s.evicted;
		counts[5].n += s.refused;
		counts[6].n += s.flushed;
	}
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		text_add(&text, "%-24s total: %llu\n", counts[i].name,
			 counts[i].n);
		json_object_set_new(json, counts[i].name,
				    json_integer(counts[i].n));
	}
	command_reply(request, &text, json);
}

void commands_register_worker(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "worker/show", "", 0, 0, cmd_worker_show, vs);
	control_register(server, "worker/clear", "", 0, 0, cmd_worker_clear,
			 vs);
	control_register(server, "memory/show", "", 0, 0, cmd_memory_show, vs);
	control_register(server, "coverage/show", "", 0, 0, cmd_coverage_show,
			 vs);
}
