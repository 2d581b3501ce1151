/*
 * A port to the host's sockets behind a tap, for tests with real clients: the
 * tap is the client's network card, in the client's namespace; the sockets are
 * made in the namespace that the program is started in.
 *
 *	hostnet CLIENT_NAMESPACE TAP [user=UID] [KEY=VALUE...]
 *
 * What the client sends to 02:56:00:00:00:01 goes to the port, as if a router
 * had passed it on; what comes back goes to 02:00:00:00:00:0f. With user= the
 * port is opened as that user, without any capability. Says "ready"; then takes
 * commands, and answers each by lines, the last of which is "end":
 *
 *	forward tcp|udp HOST FIRST LAST INSIDE PORT	add to the list
 *	apply						put the list in force
 *	stats, drops, show
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "port/hostnet_port.h"
#include "port/port.h"

#define MACHINE_MAC  0x02000000000full
#define ROUTER_MAC   "02:56:00:00:00:01"
#define THREAD	     1
#define BURST	     32
#define IDLE_ROUNDS  20
#define FORWARDS_MAX 64

static struct port *tap, *host;
static _Atomic bool stop;
static struct hostnet_forward forwards[FORWARDS_MAX];
static unsigned n_forwards;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "hostnet: %s: %s\n", what, why);
	exit(1);
}

static int open_namespace(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path, strerror(errno));
	return fd;
}

static void open_tap(const char *namespace, const char *name)
{
	struct port_config config = {
		.name = name,
		.type = "tap",
		.n_threads = 2,
		.n_rxqs = 1,
	};
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open_namespace(namespace);
	char *error = NULL;

	if (setns(there, CLONE_NEWNET) || port_open(&config, &tap, &error))
		die(name, error ? error : strerror(errno));
	/* Looked for in its namespace, it would be gone: it stays up. */
	tap->tx_enabled = true;
	tap->mtu = UINT16_MAX;
	if (setns(here, CLONE_NEWNET))
		die("namespace", strerror(errno));
	close(here);
	close(there);
}

static void become(unsigned uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("user", strerror(errno));
}

static void open_host(int argc, char **argv)
{
	struct port_option options[32] = { { "router-mac", ROUTER_MAC } };
	struct port_config config = {
		.name = "host",
		.type = "hostnet",
		.options = options,
		.n_options = 1,
		.n_threads = 2,
		.n_rxqs = 1,
	};
	char *error = NULL;

	for (int i = 0; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		*value++ = '\0';
		options[config.n_options++] =
			(struct port_option){ argv[i], value };
	}
	if (port_open(&config, &host, &error))
		die("host", error);
}

static unsigned move(struct port *from, struct port *to, uint64_t mac)
{
	static struct packet packets[BURST];
	struct packet *pointers[BURST];
	struct port_rxq *rxq = from->rxqs[0];
	unsigned n = from->class->receive(rxq, packets, BURST, THREAD), k = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!packet_pull_first(&packets[i]) &&
		    packets[i].header_len < ETH_HEADER_LEN)
			continue;
		store_be16(packets[i].header, mac >> 32);
		store_be32(packets[i].header + 2, mac);
		pointers[k++] = &packets[i];
	}
	port_send(to, pointers, k, THREAD);
	from->class->done(rxq);
	return n;
}

static void *run(void *arg)
{
	struct pollfd fds[2] = {
		{ .fd = tap->rxqs[0]->fd, .events = POLLIN },
		{ .fd = host->rxqs[0]->fd, .events = POLLIN },
	};
	unsigned idle = 0;

	sandbox_enter_worker();
	while (!stop) {
		unsigned n = move(tap, host, HOSTNET_MAC) +
			     move(host, tap, MACHINE_MAC);

		idle = n ? 0 : idle + 1;
		if (idle < IDLE_ROUNDS || !host->class->arm(host->rxqs[0]))
			continue;
		poll(fds, 2, 100);
		idle = 0;
	}
	return NULL;
}

static bool read_ip(const char *text, uint8_t *version, uint8_t *ip)
{
	*version = strchr(text, ':') ? 6 : 4;
	return inet_pton(*version == 6 ? AF_INET6 : AF_INET, text, ip) == 1;
}

static void read_forward(const char *line)
{
	struct hostnet_forward *f = &forwards[n_forwards];
	char proto[8], outer[64], inner[64];
	unsigned lo, hi, port;

	memset(f, 0, sizeof(*f));
	if (n_forwards == FORWARDS_MAX ||
	    sscanf(line, "forward %7s %63s %u %u %63s %u", proto, outer, &lo,
		   &hi, inner, &port) != 6 ||
	    !read_ip(inner, &f->version, f->inside) ||
	    !read_ip(outer, &f->version, f->host)) {
		printf("error: %s", line);
		return;
	}
	f->udp = !strcmp(proto, "udp");
	f->host_lo = lo;
	f->host_hi = hi;
	f->inside_port = port;
	n_forwards++;
}

static void apply(void)
{
	char *errors[FORWARDS_MAX];
	int error = hostnet_set_forwards(host, forwards, n_forwards, errors);

	printf("apply %d\n", error);
	for (unsigned i = 0; i < n_forwards && !error; i++) {
		if (errors[i])
			printf("forward %u: %s\n", i, errors[i]);
		free(errors[i]);
	}
	n_forwards = 0;
}

static void print_drops(void)
{
	static struct port_counters total;

	port_get_counters(host, &total);
	for (unsigned i = 0; i < N_DROP_REASONS; i++)
		if (total.drops[i])
			printf("%s %lu\n", drop_reason_name(i),
			       (unsigned long)total.drops[i]);
}

static void print_stats(void)
{
	struct hostnet_stats stats;

	hostnet_get_stats(host, &stats);
	printf("tcp %lu udp %lu icmp %lu refused %lu ping_error %d\n",
	       (unsigned long)stats.tcp, (unsigned long)stats.udp,
	       (unsigned long)stats.icmp, (unsigned long)stats.refused,
	       stats.ping_error);
}

static void command(const char *line)
{
	char *text;

	if (!strncmp(line, "forward ", 8)) {
		read_forward(line);
	} else if (!strcmp(line, "apply\n")) {
		apply();
	} else if (!strcmp(line, "stats\n")) {
		print_stats();
	} else if (!strcmp(line, "drops\n")) {
		print_drops();
	} else if (!strcmp(line, "show\n")) {
		text = hostnet_show(host);
		printf("%s", text);
		free(text);
	}
	printf("end\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	unsigned user = 0;
	char line[256];

	if (argc < 3)
		die("usage", "CLIENT_NAMESPACE TAP [KEY=VALUE...]");
	log_init("hostnet");
	open_tap(argv[1], argv[2]);
	if (argc > 3 && sscanf(argv[3], "user=%u", &user) == 1)
		become(user);
	sandbox_drop_capabilities(NULL);
	sandbox_enable_filters();
	open_host(argc - 3 - !!user, argv + 3 + !!user);
	if (pthread_create(&thread, NULL, run, NULL))
		die("thread", "cannot be made");
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		command(line);
	stop = true;
	pthread_join(thread, NULL);
	port_close(host);
	port_close(tap);
	return 0;
}
