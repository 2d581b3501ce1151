/*
 * Forwards between two ports through the port classes alone, as a worker does
 * (receive, send, done; sleep when idle), with no switching in between: what
 * the ports cost.
 *
 *	bench_device [-t SECONDS] [-b BURST] [-p POLLS] PORT PORT
 *
 * A PORT is a device's name, or tap:NAME. Prints one line a second or, with -t,
 * the sum at the end: packets and bytes from each side, and drops. POLLS is how
 * often idle queues are looked at again before it sleeps.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "port/port.h"

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = 1;
}

static struct port *open_port(const char *name)
{
	struct port_config config = {
		.name = name, .type = "", .n_threads = 1, .n_rxqs = 1
	};
	struct port *port;
	char *error = NULL;

	if (!strncmp(name, "tap:", 4)) {
		config.type = "tap";
		config.name = name + 4;
	}
	if (port_open(&config, &port, &error)) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	return port;
}

static unsigned forward(struct port *from, struct port *to, unsigned burst)
{
	static struct packet packets[PACKET_BURST_MAX];
	static struct packet *pointers[PACKET_BURST_MAX];
	struct port_rxq *rxq = from->rxqs[0];
	struct port_counters *c = from->counters[0];
	uint64_t bytes = 0;
	unsigned n;

	n = from->class->receive(rxq, packets, burst, 0);
	if (!n)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		packet_pull(&packets[i], PACKET_PULL);
		pointers[i] = &packets[i];
		bytes += packets[i].len;
	}
	counter_add(&c->rx_packets, n);
	counter_add(&c->rx_bytes, bytes);
	port_send(to, pointers, n, 0);
	from->class->done(rxq);
	return n;
}

static bool may_sleep(struct port *port)
{
	struct port_rxq *rxq = port->rxqs[0];

	return !port->class->arm || port->class->arm(rxq);
}

static void sleep_until_work(struct port *a, struct port *b)
{
	struct pollfd fds[2] = { { a->rxqs[0]->fd, POLLIN, 0 },
				 { b->rxqs[0]->fd, POLLIN, 0 } };

	if (may_sleep(a) && may_sleep(b))
		poll(fds, 2, 1000);
}

static void print_port(struct port *port)
{
	struct port_counters c;

	port_get_counters(port, &c);
	printf("%s rx %llu packets %llu bytes tx %llu", port->name,
	       (unsigned long long)c.rx_packets, (unsigned long long)c.rx_bytes,
	       (unsigned long long)c.tx_packets);
	for (int i = 0; i < N_DROP_REASONS; i++)
		if (c.drops[i])
			printf(" %s %llu", drop_reason_name(i),
			       (unsigned long long)c.drops[i]);
	printf("\n");
}

/* The processor's time that this process took, softirqs in it included. */
static void print_cpu(struct port *a, struct port *b)
{
	struct port_counters ca, cb;
	struct rusage usage;
	double seconds;

	port_get_counters(a, &ca);
	port_get_counters(b, &cb);
	getrusage(RUSAGE_SELF, &usage);
	seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
		  (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	printf("cpu %.2f s, %.0f ns a packet, %.1f s a 100 GB\n", seconds,
	       seconds / (ca.rx_packets + cb.rx_packets) * 1e9,
	       seconds / (ca.rx_bytes + cb.rx_bytes) * 1e11);
}

int main(int argc, char **argv)
{
	unsigned burst = 64, polls = 0, idle = 0;
	struct port *a, *b;
	int option;

	while ((option = getopt(argc, argv, "t:b:p:")) != -1) {
		if (option == 't')
			alarm(atoi(optarg));
		else if (option == 'b')
			burst = MIN(atoi(optarg), PACKET_BURST_MAX);
		else if (option == 'p')
			polls = atoi(optarg);
		else
			return 2;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: bench_device [-t SECONDS] [-b BURST] "
				"[-p POLLS] PORT PORT\n");
		return 2;
	}
	signal(SIGALRM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	a = open_port(argv[optind]);
	b = open_port(argv[optind + 1]);
	while (!stop) {
		if (forward(a, b, burst) + forward(b, a, burst))
			idle = 0;
		else if (idle++ >= polls)
			sleep_until_work(a, b);
	}
	print_port(a);
	print_port(b);
	print_cpu(a, b);
	port_close(a);
	port_close(b);
	return 0;
}
