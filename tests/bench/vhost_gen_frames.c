/*
 * The frames that the generator sends: Ethernet, IPv4, and UDP or (to be
 * segmented by the receiver) TCP, from station i to station i of the other
 * side, each station with an address of its own at both levels. The headers
 * of all are made before the run; sending one is a copy of 48 bytes.
 */
#include "vhost_gen.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>
#include <rte_udp.h>

enum side { SOURCE = 0x02, DESTINATION = 0x06 };

/* Locally administered, scattered as a real network's are. */
static void station_mac(struct rte_ether_addr *mac, enum side side, unsigned i)
{
	uint32_t scattered = htonl(i * 2654435761u);

	mac->addr_bytes[0] = side;
	mac->addr_bytes[1] = 0;
	memcpy(mac->addr_bytes + 2, &scattered, 4);
}

static void teacher_mac(struct rte_ether_addr *mac, unsigned pair)
{
	static const uint8_t base[] = { 0x02, 0xff, 0, 0, 0, 0 };

	memcpy(mac->addr_bytes, base, 6);
	mac->addr_bytes[5] = pair;
}

static void fill_l4(uint8_t *l4, const struct rte_ipv4_hdr *ip, bool tso)
{
	unsigned len = ntohs(ip->total_length) - sizeof(*ip);
	struct rte_udp_hdr *udp = (void *)l4;
	struct rte_tcp_hdr *tcp = (void *)l4;

	if (!tso) {
		udp->src_port = htons(1024);
		udp->dst_port = htons(9);
		udp->dgram_len = htons(len);
		return; /* no checksum: allowed over IPv4 */
	}
	tcp->src_port = htons(1024);
	tcp->dst_port = htons(9);
	tcp->data_off = sizeof(*tcp) / 4 << 4;
	tcp->tcp_flags = RTE_TCP_ACK_FLAG;
	tcp->rx_win = htons(65535);
	/* The rest of the sum is left to who segments. */
	tcp->cksum = rte_ipv4_phdr_cksum(ip, 0);
}

static void header_make(struct header *h, const struct job *job, unsigned i)
{
	uint8_t frame[128] = { 0 };
	struct rte_ether_hdr *eth = (void *)frame;
	struct rte_ipv4_hdr *ip = (void *)(eth + 1);

	station_mac(&eth->src_addr, SOURCE, i);
	station_mac(&eth->dst_addr, DESTINATION, i);
	eth->ether_type = htons(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = htons(job->size - sizeof(*eth));
	ip->fragment_offset = htons(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = 64;
	ip->next_proto_id = job->tso ? IPPROTO_TCP : IPPROTO_UDP;
	ip->src_addr = htonl(10 << 24 | i);
	ip->dst_addr = htonl(11 << 24 | i);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	fill_l4((void *)(ip + 1), ip, job->tso);
	memcpy(h, frame, sizeof(*h));
}

struct template
{
	const struct gen *gen;
	const struct job *job;
};

/* What frames of the pool keep from one sending to the next. */
static void mbuf_make(struct rte_mempool *pool, void *arg, void *object,
		      unsigned index)
{
	const struct template *t = arg;
	const struct job *job = t->job;
	struct rte_mbuf *m = object;
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	unsigned offset = stamp_offset(job);

	m->data_len = job->size;
	m->pkt_len = job->size;
	m->ol_flags = 0;
	memcpy(frame, t->gen->headers, offset);
	memcpy(frame + offset, t->gen->payload, job->size - offset);
	if (!job->tso)
		return;
	m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM |
		      RTE_MBUF_F_TX_TCP_SEG;
	m->l2_len = sizeof(struct rte_ether_hdr);
	m->l3_len = sizeof(struct rte_ipv4_hdr);
	m->l4_len = sizeof(struct rte_tcp_hdr);
	m->tso_segsz = 1448;
}

void frames_make(struct gen *gen, const struct job *job)
{
	struct template t = { gen, job };
	size_t n = (size_t)job->macs * job->pairs;

	free(gen->headers);
	gen->headers = aligned_alloc(64, n * sizeof(struct header));
	if (!gen->headers)
		rte_exit(EXIT_FAILURE, "no memory for %zu headers\n", n);
	for (size_t i = 0; i < n; i++)
		header_make(&gen->headers[i], job, i);
	for (unsigned p = 0; p < job->pairs; p++)
		gen->pairs[p].headers = gen->headers + (size_t)p * job->macs;
	rte_mempool_obj_iter(gen->tx_pool, mbuf_make, &t);
}

/* A short frame, with the headers' addresses but no protocol to answer. */
static struct rte_mbuf *teaching_frame(struct gen *gen,
				       const struct rte_ether_addr *from,
				       const struct rte_ether_addr *to)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(gen->tx_pool);
	struct rte_ether_hdr *eth;

	if (!m)
		return NULL;
	eth = (void *)rte_pktmbuf_append(m, FRAME_MIN);
	memset(eth, 0, FRAME_MIN);
	eth->src_addr = *from;
	eth->dst_addr = *to;
	eth->ether_type = htons(0x88b5); /* for local experiments */
	return m;
}

static uint64_t take(uint16_t port)
{
	struct rte_mbuf *got[MAX_BURST];
	unsigned n = rte_eth_rx_burst(port, 0, got, MAX_BURST);

	release(got, n);
	return n;
}

/* Sends it as soon as there is room; takes what comes on the other port. */
static uint64_t send_one(struct gen *gen, uint16_t out, uint16_t in,
			 const struct rte_ether_addr *from,
			 const struct rte_ether_addr *to)
{
	uint64_t end = rte_rdtsc() + 5 * gen->tsc_hz, got = 0;
	struct rte_mbuf *m;

	while (!(m = teaching_frame(gen, from, to)) ||
	       !rte_eth_tx_burst(out, 0, &m, 1)) {
		rte_pktmbuf_free(m);
		got += take(in);
		if (rte_rdtsc() > end)
			rte_exit(EXIT_FAILURE, "port %u takes no frames\n",
				 out);
	}
	return got + take(in);
}

static uint64_t teach_pair(struct gen *gen, const struct job *job, unsigned p)
{
	struct pair *pair = &gen->pairs[p];
	struct rte_ether_addr teacher, station;
	uint64_t got = 0;

	/* So that what the sink side sends goes to one port, not to all. */
	teacher_mac(&teacher, p);
	station_mac(&station, DESTINATION, p * job->macs);
	send_one(gen, pair->tx, pair->rx, &teacher, &station);
	drain(gen, 100);
	for (unsigned i = 0; i < job->macs; i++) {
		station_mac(&station, DESTINATION, p * job->macs + i);
		got += send_one(gen, pair->rx, pair->tx, &station, &teacher);
	}
	for (unsigned i = 0; i < 100; i++) {
		got += take(pair->tx);
		rte_delay_us_block(1000);
	}
	return got;
}

uint64_t frames_teach(struct gen *gen, const struct job *job)
{
	uint64_t got = 0;

	for (unsigned p = 0; p < job->pairs; p++)
		got += teach_pair(gen, job, p);
	return got;
}

static bool is_right(const struct gen *gen, const struct pair *pair,
		     const struct job *job, struct rte_mbuf *m,
		     const struct stamp *stamp)
{
	unsigned offset = stamp_offset(job);
	static uint8_t copy[65536];
	const uint8_t *frame = rte_pktmbuf_read(m, 0, job->size, copy);
	const struct header *h;

	if (!frame || m->pkt_len != job->size)
		return false;
	h = &pair->headers[job->touch ? stamp->number % job->macs : 0];
	return !memcmp(frame, h, offset) &&
	       !memcmp(frame + offset + sizeof(*stamp),
		       gen->payload + sizeof(*stamp),
		       job->size - offset - sizeof(*stamp));
}

void frame_check(struct gen *gen, struct pair *pair, const struct job *job,
		 struct rte_mbuf *m)
{
	struct stamp copy, *stamp;

	stamp = (void *)rte_pktmbuf_read(m, stamp_offset(job), sizeof(copy),
					 &copy);
	if (!stamp) {
		gen->truncated++;
		return;
	}
	if (!is_right(gen, pair, job, m, stamp))
		gen->wrong++;
	if (!job->touch)
		return; /* they have no numbers */
	if (stamp->number < pair->expected)
		gen->reordered++;
	else
		pair->expected = stamp->number + 1;
}
