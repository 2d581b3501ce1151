/* Lending received mbufs, and copying packets into mbufs (dpdk_mbuf.h). */
#include "port/dpdk_mbuf.h"

#include <netinet/in.h>
#include <stdatomic.h>

#include "packet/csum.h"
#include "packet/cursor.h"
#include "packet/gso.h"
#include "packet/parse.h"

#define TCP_CSUM_OFFSET 16
#define UDP_CSUM_OFFSET 6

static void count_drop(_Atomic uint64_t *drops, enum drop_reason reason)
{
	uint64_t n = atomic_load_explicit(&drops[reason], memory_order_relaxed);

	atomic_store_explicit(&drops[reason], n + 1, memory_order_relaxed);
}

/* The pieces of a chained buffer; false: more than there is room for. */
static bool gather(struct dpdk_lent *lent, unsigned *used, struct packet *p,
		   const struct rte_mbuf *m)
{
	struct packet_segment *segments = &lent->segments[*used];

	if (*used + m->nb_segs > DPDK_SEGMENTS_MAX)
		return false;
	packet_init(p, NULL, m->pkt_len);
	p->segments = segments;
	p->n_segments = m->nb_segs;
	*used += m->nb_segs;
	for (; m; m = m->next)
		*segments++ = (struct packet_segment){
			rte_pktmbuf_mtod(m, const uint8_t *), m->data_len
		};
	return true;
}

unsigned dpdk_lend(struct dpdk_lent *lent, struct packet *packets,
		   _Atomic uint64_t *drops)
{
	unsigned used = 0, n = 0;

	for (unsigned i = 0; i < lent->n && i < 4; i++)
		rte_prefetch0(rte_pktmbuf_mtod(lent->mbufs[i], void *));
	for (unsigned i = 0; i < lent->n; i++) {
		const struct rte_mbuf *m = lent->mbufs[i];
		struct packet *p = &packets[n];

		if (i + 4 < lent->n)
			rte_prefetch0(
				rte_pktmbuf_mtod(lent->mbufs[i + 4], void *));
		if (likely(m->nb_segs == 1)) {
			packet_init(p, rte_pktmbuf_mtod(m, void *), m->pkt_len);
		} else if (!gather(lent, &used, p, m)) {
			count_drop(drops, DROP_TRUNCATED);
			continue;
		}
		if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) ==
		    RTE_MBUF_F_RX_L4_CKSUM_GOOD)
			p->offload.csum_valid = true;
		n++;
	}
	return n;
}

/* Room for len bytes in one buffer or a chain of them. */
static struct rte_mbuf *allocate(struct rte_mempool *pool, uint32_t len)
{
	struct rte_mbuf *first = rte_pktmbuf_alloc(pool), *last = first;

	while (last) {
		uint32_t room = rte_pktmbuf_tailroom(last);
		struct rte_mbuf *more;

		last->data_len = MIN(len, room);
		first->pkt_len += last->data_len;
		len -= last->data_len;
		if (!len)
			return first;
		more = rte_pktmbuf_alloc(pool);
		last->next = more;
		first->nb_segs += !!more;
		last = more;
	}
	rte_pktmbuf_free(first);
	return NULL;
}

static void fill(struct rte_mbuf *m, const struct packet *p)
{
	const uint8_t *data;
	struct cursor c;

	cursor_init(&c, p);
	for (; m; m = m->next) {
		uint8_t *to = rte_pktmbuf_mtod(m, uint8_t *);
		uint32_t left = m->data_len, n;

		while (left && (n = cursor_take(&c, left, &data))) {
			memcpy(to, data, n);
			to += n;
			left -= n;
		}
	}
}

/* What the device is asked to do; false: that cannot be said to a device. */
static bool ask_offloads(struct rte_mbuf *m, const struct packet *p)
{
	const struct packet_offload *o = &p->offload;
	struct flow_key key;

	if (!flow_parse_packet(p, &key) || !key.l4 || key.l4 != o->csum_start)
		return false;
	m->l2_len = key.l3;
	m->l3_len = key.l4 - key.l3;
	m->ol_flags |=
		key.ip_version == 6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	if (key.ip_proto == IPPROTO_TCP && o->csum_offset == TCP_CSUM_OFFSET)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	else if (key.ip_proto == IPPROTO_UDP &&
		 o->csum_offset == UDP_CSUM_OFFSET)
		m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
	else
		return false;
	if (o->gso) {
		m->l4_len = packet_gso_header_len(p) - key.l4;
		m->tso_segsz = o->gso_size;
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		if (m->ol_flags & RTE_MBUF_F_TX_IPV4)
			m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	}
	return true;
}

struct rte_mbuf *dpdk_copy(struct rte_mempool *pool, struct packet *p,
			   enum drop_reason *reason)
{
	struct rte_mbuf *m = allocate(pool, p->len);

	*reason = DROP_TX_FULL;
	if (unlikely(!m))
		return NULL;
	/* What no device can be asked for is finished here. */
	if (unlikely(p->offload.csum_needed) && !ask_offloads(m, p)) {
		m->ol_flags = 0;
		if (p->offload.gso || !packet_finish_csum(p)) {
			*reason = DROP_TX_OFFLOAD;
			rte_pktmbuf_free(m);
			return NULL;
		}
	}
	fill(m, p);
	return m;
}
