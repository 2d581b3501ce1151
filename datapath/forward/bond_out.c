/* Packets that leave by a bond: each by the member that is to send it. */
#include "bond/bond_table.h"
#include "forward/capture.h"
#include "forward/stage.h"
#include "forward/trace.h"

static void drop_at_bond(const struct pipeline *pl, const struct fwd_port *bond,
			 struct packet *const packets[], unsigned n,
			 enum drop_reason reason)
{
	port_drop(bond->port, pl->thread, reason, n);
	for (unsigned i = 0; bond->capture && i < n; i++)
		capture_drop(bond->capture, packets[i], CAPTURE_OUT, reason);
}

/*
 * Where bridges pass link-local frames on (forward-bpdu): a guest's LACPDU
 * would be taken for ours, and end the aggregation. Returns how many are left,
 * in `kept`.
 */
static unsigned keep_slow(const struct pipeline *pl,
			  const struct fwd_port *bond,
			  struct packet *const packets[], unsigned n,
			  struct packet *kept[])
{
	unsigned n_kept = 0;

	for (unsigned i = 0; i < n; i++) {
		if (load_mac(packets[i]->header) == MAC_SLOW)
			drop_at_bond(pl, bond, &packets[i], 1, DROP_LINK_LOCAL);
		else
			kept[n_kept++] = packets[i];
	}
	return n_kept;
}

static void capture_share(const struct fwd_port *bond,
			  const struct bond_share *share)
{
	for (unsigned i = 0; i < share->n; i++)
		capture_packet(bond->capture, share->packets[i], CAPTURE_OUT);
}

/* A share that somebody listens to, or that no member may send. */
static __attribute__((noinline)) void send_share(struct pipeline *pl,
						 const struct fwd_port *bond,
						 const struct fwd_port *out,
						 const struct bond_share *share)
{
	if (!out) {
		drop_at_bond(pl, bond, share->packets, share->n,
			     DROP_BOND_DOWN);
		return;
	}
	if (bond->capture)
		capture_share(bond, share);
	output_send(pl, out, share->packets, share->n);
}

_Static_assert(FWD_MEMBER_ANY == BOND_NO_MEMBER, "of tables, too");

/*
 * Where the port that packets come from has a member of its own (teaming
 * order): all of them to that. Returns how many members get some.
 */
static __attribute__((noinline)) unsigned share_chosen(
	const struct fwd_bond *b, struct packet *const packets[], unsigned n,
	struct bond_rows *rows, uint16_t in, unsigned thread)
{
	if (in >= b->n_chosen || b->chosen[in] == FWD_MEMBER_ANY)
		return bond_table_share(b->table, packets, n, rows, in, thread);
	rows->shares[0] = (struct bond_share){ packets, n, b->chosen[in] };
	return 1;
}

static inline void share_out(struct pipeline *pl, const struct fwd_port *bond,
			     struct packet *const packets[], unsigned n)
{
	const struct fwd_port *from = pl->stages[pl->depth]->as;
	const struct fwd_bond *b = bond->bond;
	const struct bond_share *share = pl->rows->shares, *end;

	if (likely(!b->chosen))
		end = share + bond_table_share(b->table, packets, n, pl->rows,
					       from ? from->number : 0,
					       pl->thread);
	else
		end = share + share_chosen(b, packets, n, pl->rows,
					   from ? from->number : 0, pl->thread);
	do {
		const struct fwd_port *out = NULL;

		if (likely(share->member < b->n_members))
			out = b->members[share->member];
		if (unlikely(!out) || unlikely((uintptr_t)bond->capture |
					       (uintptr_t)out->capture)) {
			send_share(pl, bond, out, share);
			continue;
		}
		pl->last_out = out;
		port_send(out->port, share->packets, share->n, pl->thread);
	} while (++share < end);
}

static __attribute__((noinline)) void share_out_kept(
	struct pipeline *pl, const struct fwd_port *bond,
	struct packet *const packets[], unsigned n)
{
	struct packet *kept[PACKET_BURST_MAX];

	n = keep_slow(pl, bond, packets, n, kept);
	if (n)
		share_out(pl, bond, kept, n);
}

void pipeline_bond(struct pipeline *pl, const struct fwd_port *bond,
		   struct packet *const packets[], unsigned n)
{
	if (unlikely(pl->trace != NULL))
		trace_bond(pl, bond, packets, n);
	if (unlikely(bond->bond->stops_slow))
		share_out_kept(pl, bond, packets, n);
	else
		share_out(pl, bond, packets, n);
}
