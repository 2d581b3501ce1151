/* The DHCPv4 server's messages (RFC 2131 4.3); see dhcp.h. */
#include "gateway/dhcp_internal.h"

#include "packet/packet.h"

#define IP4_BROADCAST 0xffffffffu

static void tell(struct dhcp *d, const struct lease *l)
{
	if (d->ops.changed)
		d->ops.changed(&l->public, false, d->ops_arg);
}

/* RFC 2131 4.1: where answers to clients that are not relayed go. */
static void answer(struct dhcp *d, const struct dhcp_message *m, uint32_t port,
		   enum dhcp_type type, const struct dhcp_lease *lease)
{
	struct dhcp_destination to = {
		.mac = m->mac,
		.port = DHCP_CLIENT_PORT,
		.bridge_port = port,
	};
	uint8_t room[DHCP_REPLY_MAX];
	size_t len = dhcp_reply_build(&d->config, m, type, lease, room);

	if (type != DHCP_NAK && m->ciaddr) {
		to.ip = m->ciaddr;
	} else if (type == DHCP_NAK || m->flags & DHCP_FLAG_BROADCAST ||
		   !lease) {
		to.ip = IP4_BROADCAST;
		to.mac = MAC_BROADCAST;
	} else {
		to.ip = lease->ip;
	}
	d->ops.send(&to, room, len, d->ops_arg);
}

static void refuse(struct dhcp *d, const struct dhcp_message *m, uint32_t port)
{
	d->counters.naks++;
	answer(d, m, port, DHCP_NAK, NULL);
}

/* A live lease is offered as it is; another one becomes an offer. */
static void discover(struct dhcp *d, const struct dhcp_message *m,
		     uint32_t port, uint64_t now_ms)
{
	struct lease *l = dhcp_pool_own(d, m);

	if (l && !dhcp_pool_usable(d, l->public.ip, m->mac)) {
		dhcp_pool_drop(d, l);
		l = NULL;
	}
	if (!l) {
		l = dhcp_pool_choose(d, m, port, now_ms);
		if (!l)
			return;
	} else if (l->public.state == DHCP_OVER) {
		l->was_bound = true;
		l->over_ms = l->public.expires_ms;
		lease_set_state(&d->leases, l, DHCP_OFFERED,
				now_ms + DHCP_OFFER_MS);
	} else if (l->public.state == DHCP_OFFERED) {
		lease_set_state(&d->leases, l, DHCP_OFFERED,
				now_ms + DHCP_OFFER_MS);
	}
	d->counters.offers++;
	answer(d, m, port, DHCP_OFFER, &l->public);
}

static void name(struct dhcp *d, const struct dhcp_message *m, struct lease *l)
{
	const struct dhcp_reservation *r =
		dhcp_reservation_of_ip(&d->config, l->public.ip);
	char text[DHCP_LABEL_MAX + 1];

	if (r && r->hostname) {
		struct lease *other = lease_find_name(&d->leases, r->hostname);

		if (other && other != l) /* the name is reserved, too */
			lease_set_name(&d->leases, other, "");
		if (strlen(r->hostname) <= DHCP_HOSTNAME_MAX)
			lease_set_name(&d->leases, l, r->hostname);
		return;
	}
	dhcp_message_hostname(m, text);
	for (unsigned i = 0; i < d->config.n_reservations; i++) {
		r = &d->config.reservations[i];
		if (r->hostname && !strcmp(r->hostname, text))
			text[0] = '\0';
	}
	/* one that says none this time keeps what it said before */
	if (text[0] && !lease_set_name(&d->leases, l, text))
		d->counters.name_taken++;
}

static void bind(struct dhcp *d, const struct dhcp_message *m, uint32_t port,
		 struct lease *l, uint64_t now_ms)
{
	lease_set_state(&d->leases, l, DHCP_BOUND,
			now_ms + d->config.lease_s * 1000ull);
	lease_set_port(&d->leases, l, port);
	l->was_bound = true;
	name(d, m, l);
	tell(d, l);
	d->counters.acks++;
	answer(d, m, port, DHCP_ACK, &l->public);
}

/* SELECTING: of several servers' offers the client chose one. */
static void select_offer(struct dhcp *d, const struct dhcp_message *m,
			 uint32_t port, struct lease *l, uint64_t now_ms)
{
	if (m->server_id != d->config.server) {
		d->counters.foreign++;
		if (!l || l->public.state != DHCP_OFFERED)
			return;
		if (l->was_bound)
			lease_set_state(&d->leases, l, DHCP_OVER, l->over_ms);
		else
			dhcp_pool_drop(d, l);
		return;
	}
	if (l && l->public.ip == m->requested_ip && !m->ciaddr &&
	    dhcp_pool_usable(d, l->public.ip, m->mac))
		bind(d, m, port, l, now_ms);
	else
		refuse(d, m, port);
}

/* INIT-REBOOT, RENEWING, REBINDING: it says what it has, or had. */
static void request(struct dhcp *d, const struct dhcp_message *m, uint32_t port,
		    uint64_t now_ms)
{
	uint32_t mask = ip4_mask(d->config.prefix_len);
	uint32_t ip = m->ciaddr ? m->ciaddr : m->requested_ip;
	struct lease *l = dhcp_pool_own(d, m);

	if (m->server_id) {
		select_offer(d, m, port, l, now_ms);
		return;
	}
	if (!ip) {
		d->counters.bad++;
		return;
	}
	if (l && l->public.ip == ip && dhcp_pool_usable(d, ip, m->mac)) {
		bind(d, m, port, l, now_ms);
		return;
	}
	/* RFC 2131 4.3.2: wrong network, or not what is known of it */
	if (l || (ip & mask) != (d->config.server & mask)) {
		refuse(d, m, port);
		return;
	}
	if (!d->config.authoritative)
		return; /* it may be another server's */
	l = dhcp_pool_take(d, m, ip, port, now_ms);
	if (l)
		bind(d, m, port, l, now_ms);
	else
		refuse(d, m, port);
}

static void decline(struct dhcp *d, const struct dhcp_message *m,
		    uint64_t now_ms)
{
	struct lease *l = dhcp_pool_own(d, m);

	if (!l || l->public.ip != m->requested_ip ||
	    (m->server_id && m->server_id != d->config.server)) {
		d->counters.foreign++;
		return;
	}
	d->counters.declines++;
	if (!quota_has_room(&d->leases.declines, l->public.port)) {
		dhcp_pool_drop(d, l);
		return;
	}
	lease_set_name(&d->leases, l, "");
	lease_set_state(&d->leases, l, DHCP_DECLINED,
			now_ms + DHCP_QUARANTINE_MS);
	tell(d, l);
}

static void release(struct dhcp *d, const struct dhcp_message *m,
		    uint64_t now_ms)
{
	struct lease *l = dhcp_pool_own(d, m);

	if (!l || l->public.ip != m->ciaddr || l->public.state != DHCP_BOUND ||
	    (m->server_id && m->server_id != d->config.server)) {
		d->counters.foreign++;
		return;
	}
	d->counters.releases++;
	lease_set_state(&d->leases, l, DHCP_OVER, now_ms);
	tell(d, l);
}

/* RFC 2131 4.3.5: no address, no lease time. */
static void inform(struct dhcp *d, const struct dhcp_message *m, uint32_t port)
{
	uint32_t mask = ip4_mask(d->config.prefix_len);

	if (!m->ciaddr || (m->ciaddr & mask) != (d->config.server & mask)) {
		d->counters.bad++;
		return;
	}
	d->counters.informs++;
	answer(d, m, port, DHCP_ACK, NULL);
}

void dhcp_receive(struct dhcp *d, const struct gateway_client *client,
		  const void *message, size_t len, uint64_t now_ms)
{
	struct dhcp_message m;

	dhcp_run(d, now_ms);
	if (!dhcp_message_parse(&m, message, len)) {
		d->counters.bad++;
		return;
	}
	if (m.giaddr || m.mac != client->mac || !m.mac ||
	    mac_is_multicast(m.mac)) {
		d->counters.foreign++;
		return;
	}
	switch (m.type) {
	case DHCP_DISCOVER:
		d->counters.discovers++;
		return discover(d, &m, client->port, now_ms);
	case DHCP_REQUEST:
		d->counters.requests++;
		return request(d, &m, client->port, now_ms);
	case DHCP_DECLINE:
		return decline(d, &m, now_ms);
	case DHCP_RELEASE:
		return release(d, &m, now_ms);
	default:
		return inform(d, &m, client->port);
	}
}

static void expire(struct dhcp *d, struct lease *l)
{
	uint64_t since = l->public.expires_ms;

	switch (l->public.state) {
	case DHCP_OFFERED:
		if (l->was_bound)
			lease_set_state(&d->leases, l, DHCP_OVER, l->over_ms);
		else
			dhcp_pool_drop(d, l);
		return;
	case DHCP_BOUND:
		d->counters.expired++;
		lease_set_state(&d->leases, l, DHCP_OVER, since);
		tell(d, l);
		return;
	case DHCP_DECLINED:
		dhcp_pool_drop(d, l);
		return;
	case DHCP_OVER:
		return;
	}
}

void dhcp_run(struct dhcp *d, uint64_t now_ms)
{
	struct lease *l, *next;
	uint64_t soonest = UINT64_MAX;

	if (now_ms < d->leases.next_ms)
		return;
	for (l = d->leases.all; l; l = next) {
		next = l->next;
		if (l->public.state == DHCP_OVER)
			continue;
		if (now_ms >= l->public.expires_ms)
			expire(d, l);
		else
			soonest = MIN(soonest, l->public.expires_ms);
	}
	d->leases.next_ms = soonest;
}
