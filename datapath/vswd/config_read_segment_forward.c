/* Rows Forward and Lease of a segment. */
#include <stdlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "vswd/config_read_segment.h"

LOG_MODULE(config);

/* --- forwards --------------------------------------------------------------
 */

/* Its error, if it has none yet. */
static void refuse(struct cfg_forward *forward, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
static void refuse(struct cfg_forward *forward, const char *fmt, ...)
{
	va_list args;

	if (forward->error)
		return;
	va_start(args, fmt);
	if (vasprintf(&forward->error, fmt, args) < 0)
		abort();
	va_end(args);
}

static void read_inside(struct segment_reader *r, struct cfg_forward *f,
			const struct ovsdb_client_row *row)
{
	const char *text =
		db_get_string(r->columns, row, DB_FORWARD_INSIDE_ADDRESS, "");
	const struct cfg_segment *s = r->segment;
	int64_t port = db_get_integer(r->columns, row, DB_FORWARD_INSIDE_PORT,
				      f->outside_lo);

	f->inside_port = port;
	if (!net_text_ip(text, &f->inside)) {
		refuse(f,
		       "inside_address is \"%s\"; it must be the address of a "
		       "machine of the segment",
		       text);
		return;
	}
	f->version = f->inside.len == 4 ? 4 : 6;
	if (!segment_has_host(s, &f->inside))
		refuse(f,
		       "inside_address %s is not that of a machine of %s/%u; "
		       "the gateway's own, and those that no machine has, do "
		       "not count",
		       text,
		       f->version == 4 ? ip4_text(s->ip4).text
				       : ip6_text(s->ip6.ip).text,
		       f->version == 4 ? s->prefix4_len : s->ip6.prefix_len);
	if (port + f->outside_hi - f->outside_lo > UINT16_MAX)
		refuse(f,
		       "the %d ports from inside_port %d go beyond 65535; take "
		       "a lower inside_port or a smaller range",
		       f->outside_hi - f->outside_lo + 1, (int)port);
}

static bool is_own(const struct cfg_uplink *uplink, const struct ip_address *ip)
{
	for (unsigned i = 0; i < uplink->n_ip4 && ip->len == 4; i++)
		if (uplink->ip4[i].ip == ip_address_to_v4(ip))
			return true;
	for (unsigned i = 0; i < uplink->n_ip6 && ip->len == 16; i++)
		if (!memcmp(uplink->ip6[i].ip, ip->bytes, 16))
			return true;
	return false;
}

static void read_outside(struct segment_reader *r, struct cfg_forward *f,
			 const struct ovsdb_client_row *row)
{
	const char *text = db_get_string(r->columns, row,
					 DB_FORWARD_OUTSIDE_ADDRESS, NULL);
	const struct cfg_uplink *uplink = &r->segment->uplink;
	bool is_static;

	if (!text)
		return;
	if (!net_text_ip(text, &f->outside)) {
		refuse(f,
		       "outside_address is \"%s\"; it must be an address, or "
		       "nothing for all of them",
		       text);
		return;
	}
	if (f->inside.len && f->outside.len != f->inside.len)
		refuse(f,
		       "outside_address %s and inside_address %s are of two IP "
		       "versions; take one of the same",
		       text, ip_text(&f->inside).text);
	is_static = f->outside.len == 4 ? !uplink->dhcp : !uplink->slaac;
	if (r->segment->outside == OUTSIDE_BRIDGE && is_static &&
	    !is_own(uplink, &f->outside))
		refuse(f,
		       "outside_address %s is none of the segment's outside; "
		       "add it to options:%s, or take one that is there",
		       text,
		       f->outside.len == 4 ? "outside-address"
					   : "outside-address6");
}

static void read_forward(struct segment_reader *r, struct cfg_forward *f,
			 const struct ovsdb_client_row *row)
{
	int64_t last;

	f->uuid = row->uuid;
	f->udp = !strcmp(
		db_get_string(r->columns, row, DB_FORWARD_PROTOCOL, "tcp"),
		"udp");
	f->outside_lo =
		db_get_integer(r->columns, row, DB_FORWARD_OUTSIDE_PORT, 0);
	last = db_get_integer(r->columns, row, DB_FORWARD_OUTSIDE_PORT_LAST,
			      f->outside_lo);
	f->outside_hi = last;
	if (last < f->outside_lo) {
		f->outside_hi = f->outside_lo;
		refuse(f,
		       "outside_port_last %d is below outside_port; it must be "
		       "the last port of the range",
		       (int)last);
	}
	if (r->segment->type != SEGMENT_NAT)
		refuse(f,
		       "segment %s has no outside that it could lead from; "
		       "only those of type nat have one",
		       r->segment->name);
	read_inside(r, f, row);
	read_outside(r, f, row);
}

void config_read_segment_forwards(struct segment_reader *r)
{
	struct cfg_segment *s = r->segment;

	s->forwards = xcalloc(r->rows->n_forwards, sizeof(*s->forwards));
	s->n_forwards = r->rows->n_forwards;
	for (size_t i = 0; i < s->n_forwards; i++)
		read_forward(r, &s->forwards[i], r->rows->forwards[i]);
}

/* --- leases ----------------------------------------------------------------
 */

/* Hexadecimal digits, with or without colons between bytes. */
static bool read_client_id(struct dhcp_lease *lease, const char *text)
{
	unsigned n = 0;

	while (*text) {
		unsigned byte;
		int end = 0;

		if (n == DHCP_CLIENT_ID_MAX ||
		    sscanf(text, "%2x%n", &byte, &end) != 1 || end != 2)
			return false;
		lease->client_id[n++] = byte;
		text += end;
		if (*text == ':')
			text++;
	}
	lease->client_id_len = n;
	return true;
}

static bool read_state(struct dhcp_lease *lease, const char *text)
{
	if (!strcmp(text, "bound"))
		lease->state = DHCP_BOUND;
	else if (!strcmp(text, "over"))
		lease->state = DHCP_OVER;
	else if (!strcmp(text, "declined"))
		lease->state = DHCP_DECLINED;
	else
		return false;
	return true;
}

/* What vswd wrote itself; people may have been there since. */
static bool read_lease(const struct segment_reader *r, struct cfg_lease *lease,
		       const struct ovsdb_client_row *row)
{
	const struct db_columns *c = r->columns;
	const char *hostname = db_get_string(c, row, DB_LEASE_HOSTNAME, "");
	const char *interface = db_get_string(c, row, DB_LEASE_INTERFACE, NULL);

	lease->uuid = row->uuid;
	if (!net_text_ip4(db_get_string(c, row, DB_LEASE_ADDRESS, ""),
			  &lease->lease.ip) ||
	    !mac_from_string(db_get_string(c, row, DB_LEASE_MAC, ""),
			     &lease->lease.mac) ||
	    !read_client_id(&lease->lease,
			    db_get_string(c, row, DB_LEASE_CLIENT_ID, "")) ||
	    !read_state(&lease->lease,
			db_get_string(c, row, DB_LEASE_STATE, "")))
		return false;
	if (net_text_is_label(hostname))
		strcpy(lease->lease.hostname, hostname);
	lease->expires_s = db_get_integer(c, row, DB_LEASE_EXPIRES, 0);
	lease->interface = interface ? xstrdup(interface) : NULL;
	return true;
}

void config_read_segment_leases(struct segment_reader *r)
{
	struct cfg_segment *s = r->segment;

	s->leases = xcalloc(r->rows->n_leases, sizeof(*s->leases));
	for (size_t i = 0; i < r->rows->n_leases; i++) {
		if (read_lease(r, &s->leases[s->n_leases], r->rows->leases[i]))
			s->n_leases++;
		else
			log_warn("segment %s: a row of table Lease makes no "
				 "sense, and is ignored",
				 s->name);
	}
}
