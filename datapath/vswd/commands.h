/*
 * The commands of the control socket, as `ovs-appctl -t RUN-DIR/vswd.ctl` and
 * vsw-ctl give them. Every one that shows something answers as text in Open
 * vSwitch's layout, or as JSON to --format=json. Control thread.
 */
#ifndef VSWD_COMMANDS_H
#define VSWD_COMMANDS_H

#include <event2/event.h>
#include <jansson.h>

#include "ovsdb-lite/control.h"

struct bridge;
struct vport;
struct vswitch;

/* All of them. vs must outlive the server. */
void commands_register(struct control_server *server, struct vswitch *vs);

/* commands_fdb.c: fdb/show, add, del, flush, stats-show */
void commands_register_fdb(struct control_server *server, struct vswitch *vs);
/* commands_port.c: bridge/show, port/stats, drops */
void commands_register_port(struct control_server *server, struct vswitch *vs);
/* commands_fastpath.c: fastpath/show */
void commands_register_fastpath(struct control_server *server,
				struct vswitch *vs);
/* commands_worker.c: worker/show and clear, memory/show, coverage/show */
void commands_register_worker(struct control_server *server,
			      struct vswitch *vs);
/* commands_vhost.c: vhost/show */
void commands_register_vhost(struct control_server *server, struct vswitch *vs);
/* commands_qos.c: qos/show */
void commands_register_qos(struct control_server *server, struct vswitch *vs);
/* commands_bond.c: bond/... */
void commands_register_bond(struct control_server *server, struct vswitch *vs);
/* commands_lacp.c: lacp/show and show-stats */
void commands_register_lacp(struct control_server *server, struct vswitch *vs);
/* commands_lldp.c: lldp/neighbors, lldp/stats */
void commands_register_lldp(struct control_server *server, struct vswitch *vs);
/* commands_segment.c: segment/show, segment/neighbors */
void commands_register_segment(struct control_server *server,
			       struct vswitch *vs);
/* commands_nat.c: nat/show, nat/flush, nat/stats */
void commands_register_nat(struct control_server *server, struct vswitch *vs);
/* commands_vtep.c: vtep/show */
void commands_register_vtep(struct control_server *server, struct vswitch *vs);
/* commands_guard.c: guard/show */
void commands_register_guard(struct control_server *server, struct vswitch *vs);
/* commands_trace.c: trace */
void commands_register_trace(struct control_server *server, struct vswitch *vs);
/* commands_mirror.c: mirror/show */
void commands_register_mirror(struct control_server *server,
			      struct vswitch *vs);
/* commands_acl.c: acl/show */
void commands_register_acl(struct control_server *server, struct vswitch *vs);
/* commands_capture.c: capture */
void commands_register_capture(struct control_server *server,
			       struct vswitch *vs);

/* commands_events.c: events */
void commands_register_events(struct control_server *server,
			      struct vswitch *vs);

/* --- what they share -------------------------------------------------------
 */

/* A text that grows; the reply takes it. */
struct text {
	char *s;
	size_t n;
};
void text_add(struct text *text, const char *fmt, ...) PRINTF_LIKE(2, 3);
void command_reply_text(struct control_request *request, struct text *text);
/* Takes over the reference. */
void command_reply_json(struct control_request *request, json_t *json);
/* As the client wants it; takes over both. */
void command_reply(struct control_request *request, struct text *text,
		   json_t *json);
/* An array: as it is, or each element made a text. Takes over the reference. */
void command_reply_each(struct control_request *request, json_t *all,
			void (*to_text)(struct text *text, const json_t *json));
void command_fail(struct control_request *request, const char *fmt, ...)
	PRINTF_LIKE(2, 3);

/* The bridge, or NULL after the reply "NAME: no such bridge". */
struct bridge *command_bridge(struct control_request *request,
			      struct vswitch *vs, const char *name);
/*
 * A bridge's port by name or OpenFlow number ("LOCAL" as well), or NULL after
 * the reply "NAME: bridge BRIDGE has no such port".
 */
struct vport *command_port(struct control_request *request,
			   struct bridge *bridge, const char *name);
/* A port of any bridge that is open, or NULL after the reply. */
struct vport *command_open_port(struct control_request *request,
				struct vswitch *vs, const char *name);
/* A VLAN id, or -1 after the reply. */
int command_vlan(struct control_request *request, const char *text);
/* "LOCAL" or the number. */
void ofport_format(uint16_t ofport, char *buf, size_t size);

/* Open ports of a bridge, or of all with NULL, by bridge and number; freed by
 * the caller. */
struct vport **command_sorted_vports(const struct vswitch *vs,
				     const struct bridge *bridge, size_t *n);

#endif
