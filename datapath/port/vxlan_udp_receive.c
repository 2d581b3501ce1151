/*
 * Receiving on a port of type "vxlan-udp": the payload of a datagram, or of
 * several of one flow and length that the kernel has joined (UDP_GRO), is
 * copied to where room is for the headers in front of it, which say what the
 * kernel told of the datagram.
 */
#include <errno.h>
#include <linux/udp.h>

#include "packet/csum.h"
#include "packet/parse.h"
#include "port/vxlan_udp.h"

/* Messages of a call never are less, nor, when they are large, more bytes. */
#define BATCH_MIN 4

#define LOOPBACK_IFINDEX 1 /* in each network namespace */
#define CSUM_OFFSET	 6
#define IP_DONT		 0x4000

static const uint8_t macs[] = {
	0x02, 0, 0, 0, 0, 2, /* to us */
	0x02, 0, 0, 0, 0, 1,
};

void vxlan_udp_queue_init(const struct vxlan_udp *u, struct vxlan_udp_queue *q)
{
	uint8_t *ip = q->headers + ETH_HEADER_LEN, *udp;

	memcpy(q->headers, macs, sizeof(macs));
	if (u->options.version == 4) {
		store_be16(ip - 2, ETH_TYPE_IPV4);
		ip[0] = 0x45;
		store_be16(ip + 6, IP_DONT);
		ip[8] = VXLAN_UDP_TTL;
		ip[9] = IPPROTO_UDP;
		memcpy(ip + 16, q->to.bytes, 4);
		udp = ip + 20;
	} else {
		store_be16(ip - 2, ETH_TYPE_IPV6);
		ip[0] = 0x60;
		ip[6] = IPPROTO_UDP;
		ip[7] = VXLAN_UDP_TTL;
		memcpy(ip + 24, q->to.bytes, 16);
		udp = ip + 40;
		/*
		 * There is none for IPv6 without a checksum, so it has one that
		 * the kernel has checked, if not this one.
		 */
		store_be16(udp + CSUM_OFFSET, 0xffff);
	}
	store_be16(udp + 2, u->options.dst_port);
	q->batch = RX_ARENA_SLOTS;
}

/* What the kernel told beside a datagram. */
struct told {
	uint8_t tos;
	uint16_t gso_size; /* 0: one datagram */
	unsigned ifindex;  /* 0: not told */
	uint8_t to[16];
	bool has_to;
};

static void take_ip(struct told *t, const struct cmsghdr *c)
{
	struct in_pktinfo info;

	if (c->cmsg_type == IP_TOS) {
		t->tos = *CMSG_DATA(c);
	} else if (c->cmsg_type == IP_PKTINFO) {
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		memcpy(t->to, &info.ipi_addr, 4);
		t->ifindex = info.ipi_ifindex;
		t->has_to = true;
	}
}

static void take_ipv6(struct told *t, const struct cmsghdr *c)
{
	struct in6_pktinfo info;
	int tclass;

	if (c->cmsg_type == IPV6_TCLASS) {
		memcpy(&tclass, CMSG_DATA(c), sizeof(tclass));
		t->tos = tclass;
	} else if (c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		memcpy(t->to, &info.ipi6_addr, 16);
		t->ifindex = info.ipi6_ifindex;
		t->has_to = true;
	}
}

static void take_told(struct told *t, struct msghdr *hdr)
{
	int size;

	t->tos = 0;
	t->gso_size = 0;
	t->ifindex = 0;
	t->has_to = false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c;
	     c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level == IPPROTO_IP) {
			take_ip(t, c);
		} else if (c->cmsg_level == IPPROTO_IPV6) {
			take_ipv6(t, c);
		} else if (c->cmsg_level == IPPROTO_UDP &&
			   c->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(c), sizeof(size));
			t->gso_size = size;
		}
	}
}

static bool is_source(const struct vxlan_udp *u, uint16_t port)
{
	for (unsigned i = 0; i < VXLAN_UDP_SOURCES; i++)
		if (u->sources[i].port == port)
			return true;
	return false;
}

/* Sent by this port, to an address of this host or to a group. */
static bool is_own(const struct vxlan_udp *u, const struct told *t,
		   const uint8_t *from, uint16_t port)
{
	const struct net_addr *local = &u->options.local;

	if (local->version == 0)
		return t->ifindex == LOOPBACK_IFINDEX && is_source(u, port);
	return !memcmp(from, local->bytes, local->version == 4 ? 4 : 16) &&
	       is_source(u, port);
}

/* From Ethernet to UDP, in front of len bytes of payload. */
static void write4(const struct vxlan_udp_queue *q, uint8_t *frame,
		   const union vxlan_address *from, const struct told *t,
		   uint32_t len)
{
	uint8_t *ip = frame + ETH_HEADER_LEN, *udp = ip + 20;

	memcpy(frame, q->headers, ETH_HEADER_LEN + 20 + 8);
	ip[1] = t->tos;
	store_be16(ip + 2, 20 + 8 + len);
	memcpy(ip + 12, &from->v4.sin_addr, 4);
	if (t->has_to)
		memcpy(ip + 16, t->to, 4);
	csum_ipv4_header(ip, 20);
	memcpy(udp, &from->v4.sin_port, 2);
	store_be16(udp + 4, 8 + len);
}

static void write6(const struct vxlan_udp_queue *q, uint8_t *frame,
		   const union vxlan_address *from, const struct told *t,
		   uint32_t len)
{
	uint8_t *ip = frame + ETH_HEADER_LEN, *udp = ip + 40;

	memcpy(frame, q->headers, ETH_HEADER_LEN + 40 + 8);
	ip[0] |= t->tos >> 4;
	ip[1] |= t->tos << 4;
	store_be16(ip + 4, 8 + len);
	memcpy(ip + 8, &from->v6.sin6_addr, 16);
	if (t->has_to)
		memcpy(ip + 24, t->to, 16);
	memcpy(udp, &from->v6.sin6_port, 2);
	store_be16(udp + 4, 8 + len);
}

static void say_offload(struct packet *p, const struct told *t,
			unsigned headers, uint32_t len)
{
	p->offload.csum_valid = true;
	if (!t->gso_size || t->gso_size >= len)
		return;
	p->offload.gso = PACKET_GSO_UDP;
	p->offload.gso_size = t->gso_size;
	p->offload.csum_start = headers - 8;
	p->offload.csum_offset = CSUM_OFFSET;
}

/* Of the i-th message; false: dropped and counted. */
static bool take_message(struct vxlan_udp *u, struct vxlan_udp_queue *q,
			 unsigned i, struct packet *p, unsigned thread)
{
	const union vxlan_address *from = &q->from[i];
	unsigned headers = vxlan_udp_headers(u->options.version);
	uint8_t *frame = rx_arena_frame(q->arena, i);
	uint32_t len = q->msgs[i].msg_len;
	struct told told;

	if (q->msgs[i].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		port_drop(&u->up, thread, DROP_TRUNCATED, 1);
		return false;
	}
	take_told(&told, &q->msgs[i].msg_hdr);
	if (u->options.version == 4)
		write4(q, frame, from, &told, len);
	else
		write6(q, frame, from, &told, len);
	if (is_own(u, &told,
		   frame + ETH_HEADER_LEN + (u->options.version == 4 ? 12 : 8),
		   load_be16(frame + headers - 8))) {
		port_drop(&u->up, thread, DROP_VXLAN_SELF, 1);
		return false;
	}
	packet_init(p, frame, headers + len);
	say_offload(p, &told, headers, len);
	return true;
}

/* Another worker's arena, or the first call. */
static void prepare(const struct vxlan_udp *u, struct vxlan_udp_queue *q,
		    uint8_t *arena)
{
	unsigned headers = vxlan_udp_headers(u->options.version);

	for (unsigned i = 0; i < RX_ARENA_SLOTS; i++) {
		q->iov[i].iov_base = rx_arena_frame(arena, i) + headers;
		q->iov[i].iov_len = PACKET_LEN_MAX - headers;
		q->msgs[i].msg_hdr = (struct msghdr){
			.msg_iov = &q->iov[i],
			.msg_iovlen = 1,
			.msg_name = &q->from[i],
			.msg_control = &q->control[i],
		};
	}
	q->arena = arena;
	q->used = RX_ARENA_SLOTS;
}

/*
 * The kernel writes to the headers how much it wrote elsewhere. Only what it
 * wrote to needs to be made anew.
 */
static void renew(struct vxlan_udp_queue *q)
{
	for (unsigned i = 0; i < q->used; i++) {
		q->msgs[i].msg_hdr.msg_namelen = sizeof(q->from[i]);
		q->msgs[i].msg_hdr.msg_controllen = sizeof(q->control[i]);
	}
	q->used = 0;
}

/* Large ones are taken in fewer at once (RX_ARENA_BURST_BYTES). */
static void choose_batch(struct vxlan_udp_queue *q)
{
	uint64_t bytes = 1;
	unsigned fit;

	for (unsigned i = 0; i < q->used; i++)
		bytes += q->msgs[i].msg_len;
	fit = RX_ARENA_BURST_BYTES * q->used / bytes;
	q->batch = MIN(MAX(fit, BATCH_MIN), RX_ARENA_SLOTS);
}

unsigned vxlan_udp_receive(struct port_rxq *rxq, struct packet *packets,
			   unsigned max, unsigned thread)
{
	struct vxlan_udp_queue *q =
		CONTAINER_OF(rxq, struct vxlan_udp_queue, rxq);
	struct vxlan_udp *u = CONTAINER_OF(rxq->port, struct vxlan_udp, up);
	uint8_t *arena = rx_arena();
	unsigned n = 0;
	int got;

	if (unlikely(q->arena != arena))
		prepare(u, q, arena);
	renew(q);
	got = recvmmsg(q->fd, q->msgs, MIN(max, q->batch), MSG_DONTWAIT, NULL);
	if (got <= 0)
		return 0;
	q->used = got;
	for (int i = 0; i < got; i++)
		n += take_message(u, q, i, &packets[n], thread);
	choose_batch(q);
	return n;
}
