/*
 * The dpdk kind (Interface type "dpdk", `make DPDK=1` only): a device that a
 * DPDK driver polls, a network card or one of DPDK's virtual ones, named by
 * options:dpdk-devargs as in Open vSwitch.
 *
 * Frames are lent from the device's mbufs until done(), and sent by one copy
 * into mbufs of the port's own pool: what is sent may be lent by any port, and
 * a device gives its mbufs back when it likes. A queue has no descriptor to
 * sleep on, so its worker polls without pause.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "packet/csum.h"
#include "packet/offload.h"
#include "port/classes.h"
#include "port/dpdk_eal.h"
#include "port/dpdk_mbuf.h"

LOG_MODULE(dpdk);

#define QUEUES_MAX  (PORT_THREADS_MAX - 1)
#define DESCRIPTORS 1024
#define POOL_CACHE  256
#define FRAME_EXTRA (ETH_HEADER_LEN + 2 * VLAN_TAG_LEN)

struct dpdk_rxq {
	struct port_rxq rxq;
	struct dpdk_lent lent;
};

struct dpdk {
	struct port up;
	char *devargs;
	uint16_t id;
	bool attached; /* by us: to be detached */
	bool started;
	struct rte_mempool *pool;
	struct dpdk_rxq *queues[QUEUES_MAX];
	struct port_rxq *rxqs[QUEUES_MAX];
	struct port_txq txqs[PORT_THREADS_MAX], *txq_pointers[PORT_THREADS_MAX];
};

static struct dpdk *dpdk_of(const struct port *port)
{
	return CONTAINER_OF(port, struct dpdk, up);
}

/* --- opening ----------------------------------------------------------- */

static int make_pool(struct dpdk *d, char **errp)
{
	unsigned queues = d->up.n_rxqs + d->up.n_txqs;
	unsigned n = queues * (DESCRIPTORS + PACKET_BURST_MAX) +
		     d->up.n_threads * POOL_CACHE;
	char name[RTE_MEMPOOL_NAMESIZE];
	uint32_t room;

	/* Some drivers ask for the customary 2 KiB whatever the MTU is. */
	room = MAX(d->up.mtu + FRAME_EXTRA,
		   (uint32_t)RTE_MBUF_DEFAULT_DATAROOM);
	snprintf(name, sizeof(name), "vsw-%u", (unsigned)d->up.serial);
	d->pool = rte_pktmbuf_pool_create(name, n, POOL_CACHE, 0,
					  RTE_PKTMBUF_HEADROOM +
						  RTE_ALIGN(room, 64),
					  rte_eth_dev_socket_id(d->id));
	if (d->pool)
		return 0;
	return set_error(errp, -rte_errno,
			 "%s: no memory for %u packet buffers: %s; give DPDK "
			 "more by other_config:dpdk-extra",
			 d->up.name, n, rte_strerror(rte_errno));
}

/* Offloads that the port tells others of, when the device has all they need. */
static uint32_t offloads_of(uint64_t capabilities)
{
	const uint64_t csum = RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
			      RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
			      RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	const uint64_t tso =
		RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

	if ((capabilities & csum) != csum)
		return 0;
	if ((capabilities & tso) != tso)
		return PORT_TX_CSUM;
	return PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6;
}

static uint64_t tx_flags_of(uint64_t capabilities)
{
	return capabilities &
	       (RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
		RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO |
		RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
}

static int set_up_device_queues(struct dpdk *d)
{
	int socket = rte_eth_dev_socket_id(d->id);
	uint16_t n_rx = DESCRIPTORS, n_tx = DESCRIPTORS;
	int error;

	error = rte_eth_dev_adjust_nb_rx_tx_desc(d->id, &n_rx, &n_tx);
	for (unsigned i = 0; i < d->up.n_rxqs && !error; i++)
		error = rte_eth_rx_queue_setup(d->id, i, n_rx, socket, NULL,
					       d->pool);
	for (unsigned i = 0; i < d->up.n_txqs && !error; i++)
		error = rte_eth_tx_queue_setup(d->id, i, n_tx, socket, NULL);
	return error;
}

static int configure_device(struct dpdk *d, const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = { 0 };
	int error;

	conf.rxmode.mq_mode =
		d->up.n_rxqs > 1 ? RTE_ETH_MQ_RX_RSS : RTE_ETH_MQ_RX_NONE;
	conf.rx_adv_conf.rss_conf.rss_hf =
		d->up.n_rxqs > 1 ? info->flow_type_rss_offloads : 0;
	conf.txmode.offloads = tx_flags_of(info->tx_offload_capa);
	conf.rxmode.mtu = d->up.mtu;
	error = rte_eth_dev_configure(d->id, d->up.n_rxqs, d->up.n_txqs, &conf);
	if (!error)
		error = set_up_device_queues(d);
	if (!error)
		error = rte_eth_dev_start(d->id);
	d->started = !error;
	return error;
}

static void set_up_queues(struct dpdk *d)
{
	struct port *port = &d->up;

	for (unsigned i = 0; i < port->n_rxqs; i++) {
		struct dpdk_rxq *q = xcalloc_aligned(1, sizeof(*q));

		q->rxq = (struct port_rxq){ port, i, -1, 0, false };
		d->queues[i] = q;
		d->rxqs[i] = &q->rxq;
	}
	for (unsigned i = 0; i < port->n_txqs; i++) {
		d->txqs[i].port = port;
		d->txqs[i].index = i;
		d->txq_pointers[i] = &d->txqs[i];
	}
	port->rxqs = d->rxqs;
	port->txqs = d->txq_pointers;
	port->tx_shared = port->n_txqs < port->n_threads;
}

static int start(struct dpdk *d, const struct port_config *config, char **errp)
{
	struct rte_eth_dev_info info;
	int error = rte_eth_dev_info_get(d->id, &info);

	if (error)
		return set_error(errp, error, "%s: %s", d->up.name,
				 strerror(-error));
	d->up.n_rxqs = MIN(MAX(config->n_rxqs, 1u),
			   MIN(info.max_rx_queues, QUEUES_MAX));
	d->up.n_txqs = MIN(d->up.n_threads, info.max_tx_queues);
	d->up.tx_offloads = offloads_of(info.tx_offload_capa);
	error = make_pool(d, errp);
	if (error)
		return error;
	set_up_queues(d);
	error = configure_device(d, &info);
	if (error)
		return set_error(errp, error,
				 "%s: DPDK device %s could not be started: %s",
				 d->up.name, d->devargs, strerror(-error));
	if (rte_eth_promiscuous_enable(d->id))
		log_warn("%s: not promiscuous: it receives only what is "
			 "addressed to the device",
			 d->up.name);
	rte_eth_allmulticast_enable(d->id);
	return 0;
}

static void dpdk_close(struct port *port)
{
	struct dpdk *d = dpdk_of(port);

	if (d->started)
		rte_eth_dev_stop(d->id);
	if (d->attached)
		dpdk_detach(d->id);
	rte_mempool_free(d->pool);
	for (unsigned i = 0; i < QUEUES_MAX; i++)
		free(d->queues[i]);
	free(d->devargs);
	port_fini(port);
	free(d);
}

static int dpdk_open(const struct port_config *config, struct port **portp,
		     char **errp)
{
	const char *devargs = port_config_option(config, "dpdk-devargs");
	struct dpdk *d;
	int error;

	if (!devargs)
		return set_error(errp, -EINVAL,
				 "%s: options:dpdk-devargs is missing; it "
				 "names the device, as 0000:01:00.0 or "
				 "net_tap0,iface=tap0",
				 config->name);
	error = dpdk_eal_start(config, errp);
	if (error)
		return error;
	d = xcalloc_aligned(1, sizeof(*d));
	port_init(&d->up, &port_class_dpdk, config);
	d->devargs = xstrdup(devargs);
	error = dpdk_attach(config->name, devargs, &d->id, errp);
	d->attached = !error;
	if (!error)
		error = start(d, config, errp);
	if (error) {
		dpdk_close(&d->up);
		return error;
	}
	*portp = &d->up;
	return 0;
}

/* --- changes and status ------------------------------------------------ */

static int dpdk_reconfigure(struct port *port, const struct port_config *config,
			    char **errp)
{
	const char *devargs = port_config_option(config, "dpdk-devargs");
	struct dpdk *d = dpdk_of(port);
	uint32_t mtu =
		config->mtu_request ? config->mtu_request : PORT_MTU_DEFAULT;

	/* Buffers and queues are made for these. */
	if (!devargs || strcmp(devargs, d->devargs) || mtu != port->mtu ||
	    config->n_threads != port->n_threads)
		return -EOPNOTSUPP;
	return 0;
}

static void dpdk_status(struct port *port, struct port_status *status)
{
	struct dpdk *d = dpdk_of(port);
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	struct rte_eth_link link;

	status->present = rte_eth_dev_is_valid_port(d->id);
	if (!status->present)
		return;
	status->admin_up = true;
	status->mtu = port->mtu;
	if (!rte_eth_macaddr_get(d->id, &mac))
		status->mac = load_mac(mac.addr_bytes);
	if (!rte_eth_link_get_nowait(d->id, &link)) {
		status->link_up = link.link_status;
		status->full_duplex = link.link_duplex;
		if (link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
			status->speed_bps = link.link_speed * 1000000ull;
	}
	if (!rte_eth_dev_info_get(d->id, &info))
		snprintf(status->driver, sizeof(status->driver), "%s",
			 info.driver_name);
}

static void dpdk_counters(struct port *port, struct port_counters *total)
{
	struct rte_eth_stats stats;

	if (!rte_eth_stats_get(dpdk_of(port)->id, &stats))
		counter_add(&total->drops[DROP_RX_OVERFLOW],
			    stats.imissed + stats.rx_nombuf);
}

/* --- frames ------------------------------------------------------------ */

static void dpdk_done(struct port_rxq *rxq)
{
	struct dpdk_rxq *q = CONTAINER_OF(rxq, struct dpdk_rxq, rxq);

	rte_pktmbuf_free_bulk(q->lent.mbufs, q->lent.n);
	q->lent.n = 0;
}

static unsigned dpdk_receive(struct port_rxq *rxq, struct packet *packets,
			     unsigned max, unsigned thread)
{
	struct dpdk_rxq *q = CONTAINER_OF(rxq, struct dpdk_rxq, rxq);
	struct dpdk_lent *lent = &q->lent;
	unsigned n;

	dpdk_register_thread();
	lent->n = rte_eth_rx_burst(dpdk_of(rxq->port)->id, rxq->index,
				   lent->mbufs, MIN(max, PACKET_BURST_MAX));
	n = dpdk_lend(lent, packets, rxq->port->counters[thread]->drops);
	if (unlikely(!n && lent->n))
		dpdk_done(rxq);
	return n;
}

/* What the device cannot be asked for is taken out; the rest stays in order. */
static unsigned prepare(struct dpdk *d, unsigned queue, struct rte_mbuf **mbufs,
			unsigned n, unsigned thread)
{
	unsigned good = 0;

	while (good < n) {
		good += rte_eth_tx_prepare(d->id, queue, mbufs + good,
					   n - good);
		if (good == n)
			break;
		rte_pktmbuf_free(mbufs[good]);
		port_drop(&d->up, thread, DROP_TX_OFFLOAD, 1);
		n--;
		memmove(mbufs + good, mbufs + good + 1,
			(n - good) * sizeof(*mbufs));
	}
	return good;
}

static unsigned send_mbufs(struct dpdk *d, unsigned queue,
			   struct rte_mbuf **mbufs, unsigned n, unsigned thread,
			   uint64_t *sent_bytes)
{
	uint64_t bytes = 0;
	unsigned sent, i;

	n = prepare(d, queue, mbufs, n, thread);
	for (i = 0; i < n; i++)
		bytes += mbufs[i]->pkt_len;
	sent = rte_eth_tx_burst(d->id, queue, mbufs, n);
	for (i = sent; i < n; i++)
		bytes -= mbufs[i]->pkt_len;
	*sent_bytes += bytes;
	if (sent < n)
		port_drop(&d->up, thread, DROP_TX_FULL, n - sent);
	rte_pktmbuf_free_bulk(mbufs + sent, n - sent);
	return sent;
}

static unsigned dpdk_send(struct port_txq *txq, struct packet *const packets[],
			  unsigned n, unsigned thread, uint64_t *sent_bytes)
{
	struct rte_mbuf *mbufs[PACKET_BURST_MAX];
	struct dpdk *d = dpdk_of(txq->port);
	unsigned n_mbufs = 0;

	dpdk_register_thread();
	for (unsigned i = 0; i < n; i++) {
		enum drop_reason reason;
		struct rte_mbuf *m = dpdk_copy(d->pool, packets[i], &reason);

		if (likely(m))
			mbufs[n_mbufs++] = m;
		else
			port_drop(txq->port, thread, reason, 1);
	}
	return send_mbufs(d, txq->index, mbufs, n_mbufs, thread, sent_bytes);
}

const struct port_class port_class_dpdk = {
	.type = "dpdk",
	.open = dpdk_open,
	.close = dpdk_close,
	.reconfigure = dpdk_reconfigure,
	.status = dpdk_status,
	.device_counters = dpdk_counters,
	.receive = dpdk_receive,
	.done = dpdk_done,
	.send = dpdk_send,
};
