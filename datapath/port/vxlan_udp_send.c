/*
 * Sending on a port of type "vxlan-udp". A burst is sorted by the socket that
 * each packet's source port chooses, and is one system call a socket. What
 * follows each other there to the same place in packets of one length is sent
 * as one train (UDP_SEGMENT), for which the kernel does most of its work once.
 * Order is kept within a flow, which always has the same socket.
 *
 * Any number of threads at once: all memory is on their stacks.
 */
#include "packet/csum.h"
#include "packet/parse.h"
#include "port/vxlan_udp_send.h"

/* The least that a kernel with UDP_SEGMENT takes at once. */
#define TRAIN_MAX 64
/* Of a train's payload together: an IP packet, whatever its headers. */
#define TRAIN_BYTES_MAX 65000

/* --- reading headers -------------------------------------------------------
 */

/*
 * What the headers in front say. False: they are not those of a datagram of the
 * port's IP version, or are not private.
 */
static bool parse(const struct vxlan_udp *u, struct packet *p,
		  struct vxlan_udp_datagram *d)
{
	unsigned headers = vxlan_udp_headers(u->options.version);
	const uint8_t *ip = p->header + ETH_HEADER_LEN;

	if (unlikely(p->header_len < headers) && !packet_pull(p, headers))
		return false;
	memset(&d->way, 0, sizeof(d->way));
	if (u->options.version == 4) {
		if (load_be16(ip - 2) != ETH_TYPE_IPV4 || ip[0] != 0x45 ||
		    ip[9] != IPPROTO_UDP)
			return false;
		d->way.tos = ip[1];
		d->way.ttl = ip[8];
		memcpy(d->way.ip, ip + 16, 4);
	} else {
		if (load_be16(ip - 2) != ETH_TYPE_IPV6 || ip[0] >> 4 != 6 ||
		    ip[6] != IPPROTO_UDP)
			return false;
		d->way.tos = load_be16(ip) >> 4;
		d->way.ttl = ip[7];
		memcpy(d->way.ip, ip + 24, 16);
	}
	memcpy(&d->way.port, p->header + headers - 6, 2);
	d->packet = p;
	d->len = p->len - headers;
	d->gso_size = p->offload.gso ? p->offload.gso_size : 0;
	return true;
}

/* The outer checksum is the kernel's to make, an inner one is not. */
static bool finish_csum(const struct vxlan_udp *u, struct packet *p)
{
	unsigned udp = vxlan_udp_headers(u->options.version) - 8;

	if (likely(!p->offload.csum_needed) || p->offload.csum_start == udp)
		return true;
	return !p->offload.gso && packet_finish_csum(p);
}

/* Into the list of the socket that its source port chooses. */
static void sort(struct vxlan_udp_sender *s, unsigned i)
{
	const struct packet *p = s->datagrams[i].packet;
	unsigned headers = vxlan_udp_headers(s->u->options.version);
	uint16_t port = load_be16(p->header + headers - 8);
	unsigned source = (port ^ port >> 8) % VXLAN_UDP_SOURCES;

	s->datagrams[i].next = -1;
	if (s->first[source] < 0)
		s->first[source] = i;
	else
		s->datagrams[s->last[source]].next = i;
	s->last[source] = i;
}

/* --- making messages -------------------------------------------------------
 */

/*
 * The pieces of a packet's payload, with room left for `spare` more. 0: there
 * is no room for so many.
 */
static unsigned add_pieces(struct vxlan_udp_sender *s,
			   const struct vxlan_udp_datagram *d, unsigned spare)
{
	unsigned skip = vxlan_udp_headers(s->u->options.version);
	struct iovec *iov = &s->pieces[s->n_pieces];
	unsigned used = s->n_pieces + spare, n;

	if (used >= VXLAN_UDP_PIECES)
		return 0;
	n = packet_iov(d->packet, iov, VXLAN_UDP_PIECES - used);
	if (!n)
		return 0;
	iov->iov_base = (uint8_t *)iov->iov_base + skip;
	iov->iov_len -= skip;
	s->n_pieces += n;
	return n;
}

static bool fits(const struct vxlan_udp_sender *s,
		 const struct vxlan_udp_message *m,
		 const struct vxlan_udp_datagram *d)
{
	return !m->closed && !d->gso_size && d->len <= m->size &&
	       m->n < TRAIN_MAX && m->len + d->len <= TRAIN_BYTES_MAX &&
	       d->len && s->u->can_segment &&
	       !memcmp(m->way, &d->way, sizeof(d->way));
}

static bool join(struct vxlan_udp_sender *s, const struct vxlan_udp_datagram *d)
{
	struct vxlan_udp_message *m;
	unsigned n;

	if (!s->n_messages)
		return false;
	m = &s->messages[s->n_messages - 1];
	if (!fits(s, m, d))
		return false;
	n = add_pieces(s, d, 0);
	if (!n)
		return false;
	m->n++;
	m->n_pieces += n;
	m->len += d->len;
	m->bytes += d->packet->len;
	m->closed = d->len < m->size; /* it is the last */
	return true;
}

/*
 * How many of the pieces from `first` have len bytes together. One that has
 * more becomes two.
 */
static unsigned cut_pieces(struct vxlan_udp_sender *s, unsigned first,
			   uint32_t len)
{
	struct iovec *p = &s->pieces[first];
	unsigned n = 1;

	for (; len > p->iov_len; n++)
		len -= p++->iov_len;
	if (len == p->iov_len)
		return n;
	memmove(p + 1, p, (&s->pieces[s->n_pieces] - p) * sizeof(*p));
	s->n_pieces++;
	p[0].iov_len = len;
	p[1].iov_base = (uint8_t *)p[1].iov_base + len;
	p[1].iov_len -= len;
	return n;
}

/* The payload of one message: what the kernel takes of a train at once. */
static uint32_t part_max(const struct vxlan_udp_datagram *d)
{
	uint32_t size = d->gso_size;

	return size ? size * MAX(MIN(TRAIN_BYTES_MAX / size, TRAIN_MAX), 1u)
		    : UINT32_MAX;
}

/* A packet counts with the first of its messages, of which it seldom has more
 * than one. */
static bool begin(struct vxlan_udp_sender *s,
		  const struct vxlan_udp_datagram *d)
{
	uint32_t max = part_max(d), left = d->len, len;
	unsigned parts = left > max ? DIV_ROUND_UP(left, max) : 1;
	unsigned first = s->n_pieces, n;

	if (s->n_messages + parts > VXLAN_UDP_MESSAGES ||
	    !add_pieces(s, d, parts - 1))
		return false;
	for (bool more = false; left || !more; more = true, left -= len) {
		len = MIN(left, max);
		n = len < left ? cut_pieces(s, first, len)
			       : s->n_pieces - first;
		s->messages[s->n_messages++] = (struct vxlan_udp_message){
			.way = &d->way,
			.len = len,
			.bytes = more ? 0 : d->packet->len,
			.size = d->gso_size ? d->gso_size : len,
			.n = !more,
			.first_piece = first,
			.n_pieces = n,
			.gso = d->gso_size && d->gso_size < len,
			.closed = d->gso_size,
		};
		first += n;
	}
	return true;
}

/* --- the burst -------------------------------------------------------------
 */

/* All packets that a socket has. */
static void send_list(struct vxlan_udp_sender *s, unsigned source)
{
	s->source = &s->u->sources[source];
	for (int i = s->first[source]; i >= 0; i = s->datagrams[i].next) {
		const struct vxlan_udp_datagram *d = &s->datagrams[i];

		if (join(s, d) || begin(s, d))
			continue;
		vxlan_udp_flush(s);
		if (!begin(s, d))
			vxlan_udp_drop(s, DROP_TX_OFFLOAD, 1);
	}
	vxlan_udp_flush(s);
}

static void send_some(struct vxlan_udp_sender *s,
		      struct packet *const packets[], unsigned n)
{
	unsigned n_datagrams = 0;

	memset(s->first, 0xff, sizeof(s->first));
	for (unsigned i = 0; i < n; i++) {
		if (!finish_csum(s->u, packets[i]))
			vxlan_udp_drop(s, DROP_TX_OFFLOAD, 1);
		else if (!parse(s->u, packets[i], &s->datagrams[n_datagrams]))
			vxlan_udp_drop(s, DROP_TX_ERROR, 1);
		else
			sort(s, n_datagrams++);
	}
	for (unsigned i = 0; i < VXLAN_UDP_SOURCES; i++)
		if (s->first[i] >= 0)
			send_list(s, i);
}

unsigned vxlan_udp_send(struct port_txq *txq, struct packet *const packets[],
			unsigned n, unsigned thread, uint64_t *sent_bytes)
{
	struct vxlan_udp_sender s;

	s.u = CONTAINER_OF(txq->port, struct vxlan_udp, up);
	s.thread = thread;
	s.bytes = 0;
	s.sent = 0;
	s.n_messages = s.n_pieces = 0;
	for (unsigned i = 0; i < n; i += VXLAN_UDP_BURST_MAX)
		send_some(&s, packets + i, MIN(n - i, VXLAN_UDP_BURST_MAX));
	*sent_bytes += s.bytes;
	return s.sent;
}
