/*
 * A port's part in the fast path: its program at its device, from open to
 * close.
 *
 * A frame has two ways, the kernel's (forwarded by the program) and userspace's
 * (received by a packet socket, dropped by the program). It must go exactly
 * one. The kernel gives a frame to sockets first, then to the program, and the
 * program acts by what our socket's filter has noted, so that those two never
 * differ; without a note it decides by itself, and forwards or drops. What is
 * left to see to is that there is never a filter of ours in front of another's
 * program, no socket without our filter before ours, and no device without one
 * of them:
 *
 *  opening	device entered, program attached, socket's filter, socket
 *		bound. From the second step on the host's stack sees nothing,
 *		and no note is there: no publication has the port, so the
 *		program drops, as it must, what no socket takes.
 *  taking over	device entered (in our maps, which the old program does not
 *		look into), sockets bound, but held shut. The old program gets
 *		no notes and forwards known stations by the old tables until
 *		  publication: our tables have the port
 *		  settle 1: our program replaces the old one, in one step. It
 *			gets no notes either, and forwards by our tables
 *		  settle 2: the sockets get our filter, in one step.
 *		Known stations' frames find a way at any moment, and one; what
 *		is for userspace is lost until settle 2, as while no daemon
 *		runs. The other order would not do: our filter might take what
 *		the old program then forwards, or leave to it what it drops.
 *		Another port's settling comes in between: each has its own
 *		filter and program, and a redirect asks neither of the other's.
 *  closing	the tables no longer have the port (publication), sockets
 *		closed, program removed, device taken out. Between the last two
 *		the host's stack gets what comes, as it does later.
 *  keeping,	sockets closed, or gone with the process, in whatever of the
 *  or a kill	states above. A note that a filter left just before is used by
 *		the program that follows on that CPU, and by no other: sockets
 *		go when no filter runs any more. After it, there are no notes.
 *		Killed while it takes over, the devices that are not settled
 *		have the older program, the others ours: the next one finds
 *		both.
 *  vanishing	the kernel removes programs with the device, and a redirect
 *		to it drops. The port is closed later; removing then fails.
 *  moving	to another network namespace: the sockets are unbound, the
 *		program stays (by tcx). When the port is closed the device is
 *		taken out of the map, and the program does nothing from then
 *		on. Should it come back, the same program is found in place.
 *
 * A plain packet socket (no fast path: not wanted, or not to be had) comes
 * after a drop that is put in front of whatever is there (ingress_block.h), and
 * so never beside a program that forwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/log.h"
#include "fastpath/attach.h"
#include "fastpath/fastpath.skel.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/takeover.h"

LOG_MODULE(fastpath);

static int program_fd(const struct fastpath_port *port)
{
	return bpf_program__fd(port->side == FASTPATH_HOST
				       ? port->fp->bpf->progs.fp_egress
				       : port->fp->bpf->progs.fp_ingress);
}

/* What the device is given beside the program is told to who comes later. */
static int note_clsact(struct fastpath_port *port)
{
	uint32_t flags = port->device_flags;

	if (!port->point.made_clsact || flags & FP_DEVICE_CLSACT)
		return 0;
	return fastpath_device_flag(port, flags | FP_DEVICE_CLSACT);
}

static int attach_anew(struct fastpath_port *port)
{
	port->point.way = ATTACH_FILTER;
	return port->fp->only_filters
		       ? attach_program(&port->point, program_fd(port))
		       : attach_program_any(&port->point, program_fd(port));
}

/* In the place of one that a killed daemon has left, or anew. */
static int attach(struct fastpath_port *port)
{
	int error;

	if (port->old)
		error = attach_replace(&port->point,
				       fastpath_left_program(port->old),
				       program_fd(port));
	else
		error = attach_anew(port);
	if (error)
		return error;
	if (port->old)
		fastpath_left_done(port->old);
	port->old = NULL;
	fastpath_strangers_remove(port->fp, &port->point);
	return note_clsact(port);
}

static void find_old(struct fastpath_port *port)
{
	port->old = fastpath_left_claim(port->fp, &port->point);
	if (!port->old)
		return;
	port->device_flags = fastpath_left_flags(port->old);
	port->point.made_clsact = port->device_flags & FP_DEVICE_CLSACT;
}

static int start(struct fastpath_port *port)
{
	int error = fastpath_device_enter(port);

	if (error || fastpath_port_is_old(port))
		return error;
	error = attach(port);
	if (error)
		fastpath_device_leave(port);
	return error;
}

struct fastpath_port *fastpath_port_open(struct fastpath *fp, int ifindex,
					 const char *name,
					 enum fastpath_side side, char **whyp)
{
	struct fastpath_port *port = xcalloc(1, sizeof(*port));
	int error;

	port->fp = fp;
	port->name = xstrdup(name);
	port->ifindex = ifindex;
	port->side = side;
	port->point.ifindex = ifindex;
	port->point.hook =
		side == FASTPATH_HOST ? ATTACH_EGRESS : ATTACH_INGRESS;
	error = fastpath_slot_take(port);
	if (!error) {
		find_old(port);
		error = start(port);
		if (error)
			fastpath_slot_drop(port);
	}
	if (!error)
		return port;
	if (port->old)
		fastpath_left_return(port->old);
	*whyp = error == -ENOSPC
			? xasprintf("%d other ports have it", FP_SLOTS)
			: xasprintf("the kernel's program cannot be attached "
				    "to the device: %s",
				    strerror(-error));
	free(port->name);
	free(port);
	return NULL;
}

bool fastpath_port_is_old(const struct fastpath_port *port)
{
	return port->old && fastpath_left_forwards(port->old);
}

int fastpath_port_settle(struct fastpath_port *port)
{
	int error;

	if (!port->old)
		return 0;
	error = attach(port);
	if (!error)
		log_dbg("%s: taken over in the kernel", port->name);
	return error;
}

int fastpath_port_stay_promiscuous(struct fastpath_port *port)
{
	uint32_t flags = port->device_flags;
	int error;

	if (flags & FP_DEVICE_PROMISC)
		return 0;
	/* Told first: a kill in between costs a mode that was not set. */
	error = fastpath_device_flag(port, flags | FP_DEVICE_PROMISC);
	if (!error)
		error = fastpath_set_promiscuous(port->ifindex, true);
	return error;
}

void fastpath_port_close(struct fastpath_port *port)
{
	if (!port)
		return;
	if (!port->fp->is_kept) {
		attach_remove(&port->point,
			      port->old ? fastpath_left_program(port->old)
					: program_fd(port));
		if (port->device_flags & FP_DEVICE_PROMISC)
			fastpath_set_promiscuous(port->ifindex, false);
		fastpath_device_leave(port);
	}
	if (port->old)
		fastpath_left_done(port->old);
	fastpath_slot_drop(port);
	free(port->name);
	free(port);
}
