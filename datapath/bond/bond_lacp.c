/*
 * LACP's frames on their way out. One that tells the partner that we collect
 * waits until workers let in what it may then send at once: until the snapshot
 * with the open filter is in force (bond_published()).
 */
#include "bond/bond_internal.h"

#include "bond/lacp_pdu.h"

_Static_assert(sizeof(((struct bond_member *)0)->held) == LACP_FRAME_LEN,
	       "room for a frame of LACP");

static void send_now(struct bond_member *m, const void *frame, size_t len)
{
	m->bond->ops->send(m, frame, len, m->bond->ops_arg);
}

static void send_frame(struct lacp_port *port, const void *frame, size_t len,
		       void *arg)
{
	struct bond_member *m = lacp_port_owner(port);
	struct lacp_frame f;

	if (lacp_frame_decode(frame, len, &f) != LACP_FRAME_PDU) {
		send_now(m, frame, len);
		return;
	}
	/* The newer one says what is true now. */
	m->holds = f.pdu.actor.state & LACP_COLLECTING && !m->lets_in;
	if (m->holds)
		memcpy(m->held, frame, sizeof(m->held));
	else
		send_now(m, frame, len);
}

/* Whatever calls LACP asks it afterwards; here is nothing to do. */
static void changed(void *arg)
{
}

const struct lacp_ops bond_lacp_ops = {
	.send = send_frame,
	.changed = changed,
};

/* What is not true any more is not said: LACP has another frame to send. */
static void send_held(struct bond_member *m)
{
	if (!m->holds)
		return;
	m->holds = false;
	if (lacp_port_may_collect(m->lacp))
		send_now(m, m->held, sizeof(m->held));
}

/* A filter that LACP does not open is not waited for. */
void bond_lacp_send_held(struct bond *bond)
{
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		if (m->lets_in || m->filter & BOND_RX_NOTHING)
			send_held(m);
	}
}

void bond_published(struct bond *bond)
{
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		m->lets_in = !(m->filter & BOND_RX_NOTHING);
	}
	bond_lacp_send_held(bond);
}
