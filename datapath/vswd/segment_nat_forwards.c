/*
 * Port forwards of a segment with an uplink, as its rows say: those that stay
 * are not touched, so that what goes through them goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/segment_nat.h"

LOG_MODULE(nat);

#define DHCP_CLIENT 68

static struct nat_addr nat_addr_of(const struct ip_address *ip)
{
	struct nat_addr addr = { .version = ip->len == 4 ? 4 : 6 };

	memcpy(addr.ip, ip->bytes, ip->len);
	return addr;
}

static struct nat_forward forward_of(const struct cfg_forward *row)
{
	struct nat_forward f = {
		.version = row->version,
		.protocol = row->udp ? NAT_UDP : NAT_TCP,
		.any_outside = !row->outside.len,
		.outside_lo = row->outside_lo,
		.outside_hi = row->outside_hi,
		.to_inside = true,
		.inside = nat_addr_of(&row->inside),
		.inside_port = row->inside_port,
	};

	if (row->outside.len)
		f.outside = nat_addr_of(&row->outside);
	return f;
}

/* No client's mapping may take the port that the server's answers come to. */
static const struct nat_forward dhcp_port = {
	.version = 4,
	.protocol = NAT_UDP,
	.any_outside = true,
	.outside_lo = DHCP_CLIENT,
	.outside_hi = DHCP_CLIENT,
};

static bool equal(const struct nat_forward *a, const struct nat_forward *b)
{
	return a->version == b->version && a->protocol == b->protocol &&
	       a->any_outside == b->any_outside &&
	       !memcmp(&a->outside, &b->outside, sizeof(a->outside)) &&
	       a->outside_lo == b->outside_lo &&
	       a->outside_hi == b->outside_hi && a->to_inside == b->to_inside &&
	       !memcmp(&a->inside, &b->inside, sizeof(a->inside)) &&
	       a->inside_port == b->inside_port;
}

static bool has_address(const struct segment_nat *nat,
			const struct nat_forward *f)
{
	for (unsigned i = 0; i < nat->n_outside; i++)
		if (!memcmp(&nat->outside[i], &f->outside, sizeof(f->outside)))
			return true;
	return f->any_outside;
}

/* Why nothing comes in by it now; NULL: it is in force. The caller's. */
static char *find_error(const struct segment_nat *nat,
			const struct nat_forward_row *row)
{
	char text[IP_TEXT_SIZE];

	if (row->error)
		return xstrdup(row->error);
	if (has_address(nat, &row->forward))
		return NULL;
	return xasprintf("%s is none of the outside addresses now",
			 segment_ip_format(&row->row->outside, text));
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* The row says why its forward is not in force. */
static void tell_row(struct segment *seg, const struct cfg_forward *row,
		     const char *why)
{
	const char *told = segment_forward_error(seg, row);

	if (same_text(told, why))
		return;
	segment_set_forward_error(seg, &row->uuid, why);
	if (why)
		log_warn("segment %s: a forward is not in force: %s",
			 seg->config->name, why);
}

static void tell(struct segment_nat *nat, const struct nat_forward_row *row)
{
	char *why;

	if (row->row) {
		why = find_error(nat, row);
		tell_row(nat->seg, row->row, why);
		free(why);
	} else if (row->error) {
		log_warn_limited("segment %s: %s", nat->seg->config->name,
				 row->error);
	}
}

static void add(struct segment_nat *nat, struct nat_forward_row *row)
{
	if (!row->in_force && nat->engine) {
		free(row->error);
		row->error = NULL;
		row->in_force = !nat_add_forward(nat->engine, &row->forward,
						 &row->error);
		nat->some_refused |= !row->in_force;
	}
	tell(nat, row);
}

static struct nat_forward_row *make_rows(const struct cfg_segment *config,
					 size_t *n)
{
	struct nat_forward_row *rows =
		xcalloc(config->n_forwards + 1, sizeof(*rows));

	*n = 0;
	if (config->uplink.dhcp)
		rows[(*n)++].forward = dhcp_port;
	for (size_t i = 0; i < config->n_forwards; i++) {
		const struct cfg_forward *row = &config->forwards[i];

		if (row->error)
			continue;
		rows[*n].forward = forward_of(row);
		rows[(*n)++].row = row;
	}
	return rows;
}

/* What was in force, and is wanted again, stays; all else is removed. */
static void keep_or_remove(struct segment_nat *nat, struct nat_forward_row *old,
			   struct nat_forward_row *rows, size_t n)
{
	char *why = NULL;

	for (size_t i = 0; i < n; i++)
		if (!rows[i].in_force && !rows[i].error &&
		    equal(&rows[i].forward, &old->forward)) {
			rows[i].in_force = old->in_force;
			rows[i].error = old->error;
			old->error = NULL;
			return;
		}
	free(old->error);
	old->error = NULL;
	if (!old->in_force || !nat->engine)
		return;
	if (nat_remove_forward(nat->engine, &old->forward, &why))
		log_warn("segment %s: %s", nat->seg->config->name, why);
	free(why);
}

void segment_nat_apply_forwards(struct segment_nat *nat)
{
	size_t n;
	struct nat_forward_row *rows = make_rows(nat->seg->config, &n);

	for (size_t i = 0; i < nat->n_forwards; i++)
		keep_or_remove(nat, &nat->forwards[i], rows, n);
	free(nat->forwards);
	nat->forwards = rows;
	nat->n_forwards = n;
	segment_nat_retry_forwards(nat);
}

void segment_nat_retry_forwards(struct segment_nat *nat)
{
	nat->some_refused = false;
	for (size_t i = 0; i < nat->n_forwards; i++)
		add(nat, &nat->forwards[i]);
}

void segment_nat_reset_forwards(struct segment_nat *nat)
{
	for (size_t i = 0; i < nat->n_forwards; i++)
		nat->forwards[i].in_force = false;
}

void segment_nat_free_forwards(struct segment_nat *nat)
{
	for (size_t i = 0; i < nat->n_forwards; i++)
		free(nat->forwards[i].error);
	free(nat->forwards);
	nat->forwards = NULL;
	nat->n_forwards = 0;
}
