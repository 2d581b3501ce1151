/*
 * Sessions of a segment's NAT beyond its engine's life: over a clean stop of
 * the daemon in a file (state_file.h), and in memory when the configuration
 * asks for an engine of another size.
 *
 * The file is read once, and gone with that: sessions of an older stop are of
 * no use. Addresses may come later, by DHCP or by router advertisements, so
 * what was read is kept for a minute.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "vswd/segment_nat.h"
#include "vswd/state_file.h"

LOG_MODULE(nat);

#define KIND	"vsw-nat"
#define KEEP_MS 60000
/* A record of nat/saved.c has 64 bytes. */
#define SAVED_MAX (64ull * NAT_SESSIONS_MAX + 4096)

static char *path_of(const struct segment *seg)
{
	if (!seg->vs->run_dir || strchr(seg->config->name, '/'))
		return NULL;
	return xasprintf("%s/nat/%s.sessions", seg->vs->run_dir,
			 seg->config->name);
}

static int write_file(const void *data, size_t len, void *aux)
{
	return state_file_write(aux, data, len);
}

void segment_nat_save(const struct segment_nat *nat, uint64_t now_ms)
{
	char *path = path_of(nat->seg), *why = NULL;
	struct state_writer *w;
	struct nat_stats stats;
	int error;

	if (!path || !nat->engine)
		goto out;
	nat_get_stats(nat->engine, &stats);
	if (!stats.sessions)
		goto out;
	error = state_file_create(path, KIND, &w, &why);
	if (!error) {
		error = nat_save(nat->engine, now_ms, write_file, w);
		error = state_file_finish(w, !error, &why);
	}
	if (error)
		log_warn("segment %s: sessions of the NAT are not kept: %s",
			 nat->seg->config->name, why ? why : strerror(-error));
out:
	free(why);
	free(path);
}

/* Nothing that is older than this is of use. */
static uint64_t longest_ms(const struct nat_options *o)
{
	uint32_t s = MAX(MAX(o->udp_s, o->tcp_s), MAX(o->icmp_s, 1u));

	return s * 1000ull;
}

void segment_nat_read_saved(struct segment_nat *nat)
{
	char *path = path_of(nat->seg), *why = NULL;
	int error;

	if (!path)
		return;
	error = state_file_read(path, KIND, SAVED_MAX, &nat->saved,
				&nat->saved_len, &nat->saved_age_ms, &why);
	if (error && error != -ENOENT)
		log_warn("segment %s: sessions of the NAT are lost: %s",
			 nat->seg->config->name, why);
	if (error != -ENOENT && unlink(path) && errno != ENOENT)
		log_warn("segment %s: cannot remove %s: %s",
			 nat->seg->config->name, path, strerror(errno));
	if (!error &&
	    nat->saved_age_ms > longest_ms(&nat->seg->config->nat_options)) {
		free(nat->saved);
		nat->saved = NULL;
	}
	free(why);
	free(path);
}

static void forget_saved(struct segment_nat *nat)
{
	free(nat->saved);
	nat->saved = NULL;
}

void segment_nat_age_saved(struct segment_nat *nat, uint64_t now_ms)
{
	if (!nat->saved_until_ms)
		nat->saved_until_ms = now_ms + KEEP_MS;
	else if (now_ms >= nat->saved_until_ms)
		forget_saved(nat);
}

void segment_nat_take_up(struct segment_nat *nat, uint64_t now_ms)
{
	char *why = NULL;
	int64_t n;

	if (!nat->saved || !nat->engine || !nat->n_outside)
		return;
	n = nat_load(nat->engine, now_ms, nat->saved_age_ms, nat->saved,
		     nat->saved_len, &why);
	if (n < 0) {
		log_warn("segment %s: sessions of the NAT are lost: %s",
			 nat->seg->config->name, why);
		forget_saved(nat);
	} else if (n) {
		log_info("segment %s: %lld sessions of before the stop go on",
			 nat->seg->config->name, (long long)n);
	}
	free(why);
}

struct memory {
	uint8_t *data;
	size_t n, room;
};

static int write_memory(const void *data, size_t len, void *aux)
{
	struct memory *m = aux;

	if (len > m->room - m->n) {
		size_t room = MAX(2 * m->room, m->n + len);
		uint8_t *larger = realloc(m->data, room);

		if (!larger)
			return -ENOMEM;
		m->data = larger;
		m->room = room;
	}
	memcpy(m->data + m->n, data, len);
	m->n += len;
	return 0;
}

void segment_nat_carry_over(struct segment_nat *nat, struct nat *from,
			    struct nat *to, uint64_t now_ms)
{
	struct memory m = { 0 };
	char *why = NULL;
	int64_t n = nat_save(from, now_ms, write_memory, &m);

	if (!n)
		n = nat_load(to, now_ms, 0, m.data, m.n, &why);
	if (n < 0)
		log_warn("segment %s: the NAT was made anew without its "
			 "sessions: %s",
			 nat->seg->config->name, why ? why : strerror(-n));
	else
		log_info("segment %s: the NAT was made anew, %lld sessions go "
			 "on",
			 nat->seg->config->name, (long long)n);
	free(m.data);
	free(why);
}
