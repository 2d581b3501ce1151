/*
 * The generator of the vhost-user benchmark: the guests' side of a switch's
 * ports, as DPDK's virtio-user devices, with one core that sends and sinks.
 *
 *	vhost_gen EAL-ARGUMENTS -- [tso=1] [queue_size=1024] [rx_buffer=2048]
 *
 * The EAL's arguments name the devices net_virtio_user0, 1, 2...; frames go
 * from 0 to 1, 2 to 3 and so on. It then takes commands from standard input,
 * a line each, and answers each with a line of JSON:
 *
 *	learn macs=N pairs=N
 *	throughput size=64 macs=1 burst=64 pairs=1 windows=20 warm=4
 *		pps=0 touch=1 check=0 stamp=0 watch=SCHEDSTAT,...
 *	latency size=64 count=20000 gap_us=5 watch=SCHEDSTAT,...
 *	quit
 *
 * Between commands it sleeps, so that several can share a core by turns.
 * touch=0 sends frames as they are in memory, which are all the same then.
 */
#include "vhost_gen.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_malloc.h>

struct setup {
	bool tso;
	unsigned queue_size, rx_buffer;
};

/* The value of KEY=VALUE among words; what it is without. */
static const char *word(char *const *words, const char *key, const char *none)
{
	size_t len = strlen(key);

	for (; *words; words++)
		if (!strncmp(*words, key, len) && (*words)[len] == '=')
			return *words + len + 1;
	return none;
}

static unsigned long number(char *const *words, const char *key,
			    unsigned long none)
{
	const char *text = word(words, key, NULL);

	return text ? strtoul(text, NULL, 0) : none;
}

static struct rte_mempool *make_pool(const char *name, unsigned n,
				     unsigned room)
{
	struct rte_mempool *pool;

	pool = rte_pktmbuf_pool_create(
		name, n, 512, 0, RTE_PKTMBUF_HEADROOM + room, SOCKET_ID_ANY);
	if (!pool)
		rte_exit(EXIT_FAILURE,
			 "no memory for %u buffers of %u bytes: %s; it takes "
			 "hugepages\n",
			 n, room, rte_strerror(rte_errno));
	return pool;
}

static void start_port(uint16_t port, const struct setup *setup,
		       struct rte_mempool *rx_pool)
{
	struct rte_eth_conf conf = { 0 };
	int error;

	if (setup->tso) {
		conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_TCP_LRO |
				       RTE_ETH_RX_OFFLOAD_TCP_CKSUM |
				       RTE_ETH_RX_OFFLOAD_SCATTER;
		conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_TCP_TSO |
				       RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
				       RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	}
	error = rte_eth_dev_configure(port, 1, 1, &conf);
	if (!error)
		error = rte_eth_rx_queue_setup(port, 0, setup->queue_size,
					       SOCKET_ID_ANY, NULL, rx_pool);
	if (!error)
		error = rte_eth_tx_queue_setup(port, 0, setup->queue_size,
					       SOCKET_ID_ANY, NULL);
	if (!error)
		error = rte_eth_dev_start(port);
	if (error)
		rte_exit(EXIT_FAILURE, "port %u: cannot be started: %s\n", port,
			 rte_strerror(-error));
}

static void make_payload(struct gen *gen)
{
	gen->payload = malloc(FRAME_MAX);
	if (!gen->payload)
		rte_exit(EXIT_FAILURE, "no memory\n");
	for (unsigned i = 0; i < FRAME_MAX; i++)
		gen->payload[i] = i * 7 + i / 251;
}

static void set_up(struct gen *gen, const struct setup *setup)
{
	unsigned n = 0, frames, room = setup->tso ? FRAME_MAX : 2048;
	struct rte_mempool *rx_pool;
	char name[64];
	uint16_t port;

	while (snprintf(name, sizeof(name), "net_virtio_user%u", n),
	       !rte_eth_dev_get_port_by_name(name, &port)) {
		if (n % 2)
			gen->pairs[n / 2].rx = port;
		else
			gen->pairs[n / 2].tx = port;
		n++;
	}
	gen->n_pairs = n / 2;
	/* A sender that is ahead fills its ring and has a burst in hand. */
	frames = (setup->queue_size + MAX_BURST) * RTE_MAX(n / 2, 1u) + 1024;
	gen->tx_pool = make_pool("tx", frames, room);
	frames = (setup->queue_size + MAX_BURST) * n + 1024;
	rx_pool = make_pool("rx", frames, setup->rx_buffer);
	RTE_ETH_FOREACH_DEV(port)
	start_port(port, setup, rx_pool);
	gen->tsc_hz = rte_get_tsc_hz();
	make_payload(gen);
}

static struct job read_job(const struct gen *gen, const struct setup *setup,
			   char *const *words)
{
	struct job job = {
		.size = number(words, "size", setup->tso ? FRAME_MAX : 64),
		.macs = number(words, "macs", 1),
		.burst = number(words, "burst", 64),
		.pairs = number(words, "pairs", 1),
		.n = number(words, "windows", 20),
		.warm = number(words, "warm", 4),
		.gap_us = number(words, "gap_us", 5),
		.pps = number(words, "pps", 0),
		.touch = number(words, "touch", 1),
		.check = number(words, "check", 0),
		.stamp = number(words, "stamp", 0),
		.tso = setup->tso,
	};

	if (!strcmp(words[0], "latency")) {
		job.n = number(words, "count", 20000);
		job.stamp = true;
		job.touch = true;
	}
	if (job.size < (job.tso ? 80 : FRAME_MIN) ||
	    job.size > (job.tso ? FRAME_MAX : 2000) || !job.macs ||
	    !job.burst || job.burst > MAX_BURST || !job.pairs ||
	    job.pairs > gen->n_pairs)
		rte_exit(EXIT_FAILURE, "%s: a number is out of range\n",
			 words[0]);
	return job;
}

/* The frames in memory are those of the command before, if that was alike. */
static void prepare(struct gen *gen, const struct job *job)
{
	static struct job made;

	if (made.size == job->size && made.macs == job->macs &&
	    made.pairs == job->pairs)
		return;
	drain(gen, 20);
	frames_make(gen, job);
	made = *job;
}

static bool command(struct gen *gen, const struct setup *setup, char *line)
{
	char *words[32] = { 0 }, *rest = line;
	struct job job;
	unsigned n = 0;

	while (n < RTE_DIM(words) - 1 && (words[n] = strsep(&rest, " \n")))
		n += *words[n] != '\0';
	words[n] = NULL;
	if (!n)
		return true;
	if (!strcmp(words[0], "quit"))
		return false;
	job = read_job(gen, setup, words);
	prepare(gen, &job);
	watch_open(word(words, "watch", ""));
	if (!strcmp(words[0], "learn"))
		printf("{\"mode\": \"learn\", \"came\": %ju}\n",
		       (uintmax_t)frames_teach(gen, &job));
	else if (!strcmp(words[0], "throughput"))
		mode_throughput(gen, &job);
	else if (!strcmp(words[0], "latency"))
		mode_latency(gen, &job);
	else
		rte_exit(EXIT_FAILURE, "%s: not a command\n", words[0]);
	fflush(stdout);
	return true;
}

int main(int argc, char *argv[])
{
	static struct gen gen;
	struct setup setup;
	char line[1024];
	int n = rte_eal_init(argc, argv);

	if (n < 0)
		rte_exit(EXIT_FAILURE, "the EAL's arguments are wrong\n");
	setup.tso = number(argv + n, "tso", 0);
	setup.queue_size = number(argv + n, "queue_size", 1024);
	setup.rx_buffer = number(argv + n, "rx_buffer", 2048);
	set_up(&gen, &setup);
	printf("{\"mode\": \"ready\", \"pairs\": %u}\n", gen.n_pairs);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && command(&gen, &setup, line))
		;
	rte_eal_cleanup();
	return 0;
}
