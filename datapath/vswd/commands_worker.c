/* worker/show, memory/show and coverage/show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/commands.h"
#include "vswd/switch.h"

typedef unsigned long long ull;

static json_t *queues_of(const struct fwd_snapshot *s, unsigned worker)
{
	json_t *queues = json_array();

	for (unsigned i = 0; s && i < s->n_rxqs; i++)
		if (s->rxqs[i].worker == worker)
			json_array_append_new(
				queues,
				json_pack("{s:s, s:i}", "port",
					  s->rxqs[i].rxq->port->name, "queue",
					  (int)s->rxqs[i].rxq->index));
	return queues;
}

static void worker_text(struct text *text, unsigned worker,
			const struct worker_stats *s, const json_t *queues)
{
	json_t *queue;
	size_t i;

	text_add(text, "worker %u:\n", worker);
	text_add(text, "  packets: %llu\n  bursts: %llu\n", (ull)s->packets,
		 (ull)s->bursts);
	text_add(text, "  packets per burst: %.1f\n",
		 s->bursts ? (double)s->packets / s->bursts : 0.0);
	text_add(text, "  busy: %.3f s\n", s->busy_ns / 1e9);
	text_add(text, "  idle polls: %llu\n  sleeps: %llu\n",
		 (ull)s->idle_polls, (ull)s->sleeps);
	json_array_foreach((json_t *)queues, i, queue)
		text_add(text, "  port: %-15s  queue-id: %lld\n",
			 json_string_value(json_object_get(queue, "port")),
			 (long long)json_integer_value(
				 json_object_get(queue, "queue")));
}

static void cmd_worker_show(struct control_request *request, int argc,
			    const char *const argv[], void *aux)
{
	const struct vswitch *vs = aux;
	unsigned n = vs->pool ? worker_pool_count(vs->pool) : 0;
	json_t *workers = json_array();
	struct text text = { 0 };

	for (unsigned w = 0; w < n; w++) {
		json_t *queues = queues_of(vs->snapshot, w);
		struct worker_stats s;

		worker_pool_get_stats(vs->pool, w, &s);
		worker_text(&text, w, &s, queues);
		json_array_append_new(
			workers,
			json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:o}",
				  "worker", (int)w, "packets",
				  (json_int_t)s.packets, "bursts",
				  (json_int_t)s.bursts, "busy_ns",
				  (json_int_t)s.busy_ns, "idle_polls",
				  (json_int_t)s.idle_polls, "sleeps",
				  (json_int_t)s.sleeps, "queues", queues));
	}
	if (control_wants_json(request)) {
		free(text.s);
		command_reply_json(request, workers);
	} else {
		json_decref(workers);
		command_reply_text(request, &text);
	}
}

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
	if (control_wants_json(request)) {
		free(text.s);
		command_reply_json(request, json);
	} else {
		json_decref(json);
		command_reply_text(request, &text);
	}
}

void commands_register_worker(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "worker/show", "", 0, 0, cmd_worker_show, vs);
	control_register(server, "memory/show", "", 0, 0, cmd_memory_show, vs);
	control_register(server, "coverage/show", "", 0, 0, cmd_coverage_show,
			 vs);
}
