/* Rows of table Remote_MAC. One that makes no sense is left out, and says why:
 * the others are as good as ever. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/config_check_overlays.h"
#include "vswd/config_read_overlay.h"

static void refuse(struct cfg_remote_mac *mac, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
static void refuse(struct cfg_remote_mac *mac, const char *fmt, ...)
{
	va_list args;

	if (mac->error)
		return;
	va_start(args, fmt);
	if (vasprintf(&mac->error, fmt, args) < 0)
		abort();
	va_end(args);
}

static const char *column(const struct db_columns *columns,
			  const struct ovsdb_client_row *row,
			  enum db_column which)
{
	return db_get_string(columns, row, which, "");
}

/* --- columns ---------------------------------------------------------------
 */

/* Where the VXLAN port has one VNI, stations are of the port's own VLAN. */
static void read_vlan(struct cfg_remote_mac *mac, const struct cfg_port *port,
		      int64_t vlan)
{
	const struct cfg_overlay *o = port->interfaces[0].overlay;

	if (o->map) {
		mac->vlan = MAX(vlan, 0);
		if (vlan < 0 && vtep_map_vni(o->map, 0) == VTEP_NO_VNI)
			refuse(mac, "vlan is missing; the VXLAN port has VNIs "
				    "by VLANs: say which VLAN the station is "
				    "in");
		else if (vtep_map_vni(o->map, mac->vlan) == VTEP_NO_VNI)
			refuse(mac,
			       "vlan is %u, which has no VNI; add it to "
			       "options:vni-map of interface %s",
			       mac->vlan, port->interfaces[0].name);
	} else if (vlan > 0 && vlan != port->vlan.tag) {
		refuse(mac,
		       "vlan is %lld, but options:key of interface %s is one "
		       "VNI, %u; clear vlan, or set key to flow",
		       (long long)vlan, port->interfaces[0].name, o->vni);
	}
}

static void read_remote(struct cfg_remote_mac *mac, const struct cfg_overlay *o,
			const char *text)
{
	const char *why;

	if (!net_text_ip(text, &mac->remote)) {
		mac->remote = (struct ip_address){ 0 };
		refuse(mac,
		       "remote_ip is \"%s\"; it must be the IP address of a "
		       "VTEP",
		       text);
		return;
	}
	why = overlay_ip_fault(&mac->remote);
	if (why)
		refuse(mac, "remote_ip is %s, %s", text, why);
	else if (mac->remote.len != (o->ip_version == 4 ? 4 : 16))
		refuse(mac,
		       "remote_ip is %s; the VXLAN port has IPv%u underneath, "
		       "and so must its remotes",
		       text, o->ip_version);
	else if (ip_address_equal(&mac->remote, &o->local))
		refuse(mac,
		       "remote_ip is %s, the VXLAN port's local_ip; it must be "
		       "another VTEP's address",
		       text);
	else if (o->single && o->n_remotes &&
		 !ip_address_equal(&mac->remote, &o->remotes[0]))
		refuse(mac,
		       "remote_ip is %s, but the VXLAN port's only remote is "
		       "%s; set its options:remote_ip to flow to have several",
		       text, ip_text(&o->remotes[0]).text);
}

static void read_ips(struct cfg_remote_mac *mac,
		     const struct ovsdb_datum *datum)
{
	mac->ips = xcalloc(datum->n ? datum->n : 1, sizeof(*mac->ips));
	for (unsigned i = 0; i < datum->n; i++) {
		const char *text = ovsdb_atom_string(&datum->keys[i]);
		struct ip_address *ip = &mac->ips[mac->n_ips];

		if (net_text_ip(text, ip) && !overlay_ip_is_multicast(ip)) {
			mac->n_ips++;
			continue;
		}
		refuse(mac,
		       "ips has \"%s\"; it must have addresses of the station, "
		       "or nothing",
		       text);
		return;
	}
}

static void read_row(struct cfg_remote_mac *mac, const struct cfg_port *port,
		     const struct db_columns *columns,
		     const struct ovsdb_client_row *row)
{
	const char *text = column(columns, row, DB_REMOTE_MAC_MAC);

	mac->uuid = row->uuid;
	if (!mac_from_string(text, &mac->mac) || !mac->mac ||
	    mac_is_multicast(mac->mac))
		refuse(mac,
		       "mac is \"%s\"; it must be a unicast address as "
		       "02:00:00:00:00:01",
		       text);
	read_vlan(mac, port,
		  db_get_integer(columns, row, DB_REMOTE_MAC_VLAN, -1));
	read_remote(mac, port->interfaces[0].overlay,
		    column(columns, row, DB_REMOTE_MAC_REMOTE_IP));
	read_ips(mac, db_get(columns, row, DB_REMOTE_MAC_IPS));
	mac->sticky = db_get_boolean(columns, row, DB_REMOTE_MAC_STICKY, false);
}

/* --- all -------------------------------------------------------------------
 */

/* Where the kernel chooses the source, any address of the host is ours. */
static void refuse_own(struct cfg_overlay *o)
{
	struct ip_address *own;
	size_t n_own;

	if (!o->n_macs || o->underlay || o->local.len)
		return;
	own = config_own_addresses(&n_own);
	for (size_t i = 0; i < o->n_macs; i++)
		for (size_t k = 0; k < n_own; k++)
			if (ip_address_equal(&o->macs[i].remote, &own[k]))
				refuse(&o->macs[i],
				       "remote_ip is %s, an address of this "
				       "host; it must be another VTEP's "
				       "address",
				       ip_text(&own[k]).text);
	free(own);
}

/* The same order whatever the database's is. */
static int compare_macs(const void *a_, const void *b_)
{
	const struct cfg_remote_mac *a = a_, *b = b_;

	if (a->vlan != b->vlan)
		return a->vlan - b->vlan;
	if (a->mac != b->mac)
		return a->mac < b->mac ? -1 : 1;
	if (!a->error != !b->error)
		return a->error ? 1 : -1;
	return uuid_compare(&a->uuid, &b->uuid);
}

void config_read_overlay_macs(struct cfg_port *port,
			      const struct db_columns *columns,
			      const struct ovsdb_client_row *const rows[],
			      size_t n)
{
	struct cfg_overlay *o = port->interfaces[0].overlay;

	o->macs = xcalloc(n ? n : 1, sizeof(*o->macs));
	o->n_macs = n;
	for (size_t i = 0; i < n; i++)
		read_row(&o->macs[i], port, columns, rows[i]);
	refuse_own(o);
	qsort(o->macs, n, sizeof(*o->macs), compare_macs);
	for (size_t i = 1; i < n; i++) {
		const struct cfg_remote_mac *first = &o->macs[i - 1];

		if (first->mac == o->macs[i].mac &&
		    first->vlan == o->macs[i].vlan && !o->macs[i].error)
			refuse(&o->macs[i],
			       "another row has the same mac%s, with remote_ip "
			       "%s; remove one of them",
			       o->map ? " and vlan" : "",
			       ip_text(&first->remote).text);
	}
}
