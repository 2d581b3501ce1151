/*
 * The services of a segment's gateway behind a tap, for tests with real
 * clients: the tap is the client's network card, in the client's namespace;
 * resolvers are asked from the namespace that the program is started in, and
 * DNS over TCP is served there, too, as there is no TCP behind the tap.
 *
 *	segment CLIENT_NAMESPACE TAP TCP_PORT RESOLV_CONF
 *
 * It is 10.20.0.1/24 and fd20::1/64, domain lab. Says "ready", and a line for
 * each change of a lease. Ends with its standard input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gateway/dhcp.h"
#include "gateway/dhcpv6.h"
#include "gateway/dns.h"
#include "gateway/station.h"
#include "gateway/udp_frame.h"
#include "packet/packet.h"

#define MAC	    0x025600000001
#define IP4	    0x0a140001
#define SOCKETS_MAX 64

static const uint8_t ip6[16] = { 0xfd, 0x20, [15] = 1 };
static const uint8_t all_servers[16] = { 0xff, 2, [13] = 1, [15] = 2 };

/* A query's socket, or a client's connection (stream). */
struct sock {
	int fd; /* -1: free */
	uint32_t query;
	bool tcp, connecting;
	struct resolver server;
	struct dns_stream *stream;
	bool ended;
};

static int tap, listener;
static struct sock socks[SOCKETS_MAX];
static struct station *station;
static struct dhcp *dhcp;
static struct dns *dns;
static struct dhcpv6_config dhcpv6 = {
	.mac = MAC,
	.dns = { { 0xfd, 0x20, [15] = 1 } },
	.n_dns = 1,
	.domain = "lab",
};

static void die(const char *what)
{
	fprintf(stderr, "segment: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static void send_frame(const void *frame, size_t len, void *arg)
{
	if (write(tap, frame, len) < 0 && errno != EIO)
		die("tap");
}

static void send_datagram(const struct udp_datagram *d)
{
	static uint8_t room[65536 + UDP_FRAME_HEADERS];
	size_t len = udp_frame_build(d, room, sizeof(room));

	if (len)
		send_frame(room, len, NULL);
}

static void dhcp_send(const struct dhcp_destination *to, const void *message,
		      size_t len, void *arg)
{
	struct udp_datagram d = {
		.from = { MAC, ip_address_v4(IP4), DHCP_SERVER_PORT },
		.to = { to->mac, ip_address_v4(to->ip), to->port },
		.payload = message,
		.len = len,
	};

	send_datagram(&d);
}

static void lease_changed(const struct dhcp_lease *l, bool gone, void *arg)
{
	static const char *const states[] = { "offered", "bound", "over",
					      "declined" };

	printf("lease %u.%u.%u.%u %s %s\n", l->ip >> 24, l->ip >> 16 & 255,
	       l->ip >> 8 & 255, l->ip & 255, gone ? "gone" : states[l->state],
	       l->hostname[0] ? l->hostname : "-");
	fflush(stdout);
}

static bool owner_of(const struct ip_address *ip, uint64_t *mac, void *arg)
{
	const struct dhcp_lease *l =
		ip->len == 4 ? dhcp_find_ip(dhcp, ip_address_to_v4(ip)) : NULL;

	if (l)
		*mac = l->mac;
	return l;
}

static bool host_of(const struct dhcp_lease *l, struct dns_host *host)
{
	if (!l)
		return false;
	memset(host, 0, sizeof(*host));
	strcpy(host->label, l->hostname);
	host->ip4 = l->ip;
	return true;
}

static bool find_name(const char *label, struct dns_host *host, void *arg)
{
	return host_of(dhcp_find_name(dhcp, label), host);
}

static bool find_ip(const struct ip_address *ip, struct dns_host *host,
		    void *arg)
{
	return ip->len == 4 &&
	       host_of(dhcp_find_ip(dhcp, ip_address_to_v4(ip)), host);
}

static void dns_reply(const struct dns_client *client, const void *message,
		      size_t len, void *arg)
{
	struct udp_datagram d = {
		.from = { MAC, ip_address_v4(IP4), 53 },
		.payload = message,
		.len = len,
	};

	d.to.ip = client->ip;
	d.to.port = client->udp_port;
	if (client->ip.len == 16)
		d.from.ip = ip_address_of(ip6, 16);
	if (!neighbor_cache_resolve(station_neighbors(station), &client->ip, 0,
				    now_ms(), &d.to.mac))
		send_datagram(&d);
}

static struct sock *new_sock(void)
{
	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		if (socks[i].fd < 0) {
			memset(&socks[i], 0, sizeof(socks[i]));
			return &socks[i];
		}
	return NULL;
}

static int dns_ask(uint32_t query, const struct resolver *server, bool tcp,
		   const void *message, size_t len, void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(server->port) };
	struct sock *s = new_sock();

	if (!s || server->ip.len != 4)
		return -ENOBUFS;
	memcpy(&to.sin_addr, server->ip.bytes, 4);
	s->fd = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	s->query = query;
	s->tcp = tcp;
	s->server = *server;
	if (connect(s->fd, (struct sockaddr *)&to, sizeof(to)) ||
	    send(s->fd, message, len, MSG_NOSIGNAL) < 0) {
		close(s->fd);
		s->fd = -1;
		return -errno;
	}
	return 0;
}

static void dns_close(uint32_t query, void *arg)
{
	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		if (socks[i].fd >= 0 && !socks[i].stream &&
		    socks[i].query == query) {
			close(socks[i].fd);
			socks[i].fd = -1;
		}
}

static void stream_send(void *stream_arg, const void *data, size_t len,
			void *arg)
{
	struct sock *s = stream_arg;

	if (send(s->fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
		s->ended = true;
}

static void stream_close(void *stream_arg, void *arg)
{
	struct sock *s = stream_arg;

	close(s->fd);
	s->fd = -1;
}

static void random_bytes(void *to, size_t len, void *arg)
{
	if (getrandom(to, len, 0) != (ssize_t)len)
		die("getrandom");
}

static void receive_datagram(const struct udp_datagram *d,
			     const struct gateway_client *client)
{
	struct ip_address own4 = ip_address_v4(IP4);
	uint8_t room[DHCPV6_REPLY_MAX];

	if (d->to.port == DHCP_SERVER_PORT && d->to.ip.len == 4) {
		dhcp_receive(dhcp, client, d->payload, d->len, now_ms());
	} else if (d->to.port == DHCPV6_SERVER_PORT && d->to.ip.len == 16) {
		struct udp_datagram answer = { .from = d->to, .to = d->from };

		answer.len = dhcpv6_answer(
			&dhcpv6, d->payload, d->len,
			!memcmp(d->to.ip.bytes, all_servers, 16), room);
		answer.payload = room;
		answer.from.mac = MAC;
		answer.from.ip = ip_address_of(station_link_local(station), 16);
		if (answer.len)
			send_datagram(&answer);
	} else if (d->to.port == 53 &&
		   (ip_address_equal(&d->to.ip, &own4) || d->to.ip.len == 16)) {
		struct dns_client from = { .ip = d->from.ip,
					   .udp_port = d->from.port,
					   .port = client->port };

		neighbor_cache_learn(station_neighbors(station), &d->from.ip,
				     client, true, now_ms());
		dns_receive(dns, &from, d->payload, d->len, now_ms());
	}
}

static void receive_frame(void)
{
	static uint8_t frame[65536];
	ssize_t len = read(tap, frame, sizeof(frame));
	struct gateway_client client = { .port = 1 };
	struct udp_datagram d;

	if (len < 14)
		return;
	client.mac = load_mac(frame + 6);
	if (!station_receive(station, &client, frame, len, now_ms()) &&
	    udp_frame_parse(&d, frame, len))
		receive_datagram(&d, &client);
}

static void receive_sock(struct sock *s)
{
	uint8_t data[65536];
	ssize_t n = recv(s->fd, data, sizeof(data), 0);

	if (s->stream) {
		struct dns_stream *stream = s->stream;

		if (n > 0 && !s->ended) {
			dns_stream_receive(stream, data, n, now_ms());
			return;
		}
		close(s->fd);
		s->fd = -1;
		dns_stream_closed(stream);
	} else if (s->tcp) {
		dns_answer_stream(dns, s->query, data, n > 0 ? n : 0, now_ms());
	} else if (n > 0) {
		struct resolver from = s->server;

		dns_answer(dns, s->query, &from, data, n, now_ms());
	}
}

static void accept_stream(void)
{
	struct dns_client client = { .ip = ip_address_v4(0x7f000001) };
	struct sock *s = new_sock();
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		return;
	if (s) {
		s->fd = fd;
		s->stream = dns_stream_open(dns, &client, s, now_ms());
	}
	if (!s || !s->stream) {
		close(fd);
		if (s)
			s->fd = -1;
	}
}

static int open_tap(const char *namespace, const char *name)
{
	int home = open("/proc/self/ns/net", O_RDONLY);
	int there = open(namespace, O_RDONLY);
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (there < 0 || setns(there, CLONE_NEWNET))
		die(namespace);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		die(name);
	if (setns(home, CLONE_NEWNET))
		die("setns");
	close(home);
	close(there);
	return fd;
}

static void listen_at(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(atoi(port)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(listener, 8))
		die("listen");
}

static void make_services(const char *resolv_conf)
{
	static const char *const search[] = { "lab", "example.org" };
	static const struct dhcp_route route = { 0x0a630000, 16, IP4 };
	static const struct dhcp_boot boot = { -1, "boot.efi" };
	struct station_config sc = {
		.mac = MAC,
		.ip4 = IP4,
		.prefix4_len = 24,
		.ip6 = true,
		.n_global = 1,
		.ra = { .enabled = true,
			.default_router = true,
			.other_config = true,
			.mtu = 1400,
			.n_rdnss = 1 },
	};
	struct dhcp_config dc = {
		.server = IP4,
		.prefix_len = 24,
		.first = IP4 + 9,
		.last = IP4 + 99,
		.lease_s = 120,
		.router = IP4,
		.dns = { IP4 },
		.n_dns = 1,
		.ntp = { IP4 },
		.n_ntp = 1,
		.domain = "lab",
		.search = search,
		.n_search = 2,
		.mtu = 1400,
		.routes = &route,
		.n_routes = 1,
		.boot = &boot,
		.n_boot = 1,
		.next_server = IP4,
		.authoritative = true,
	};
	struct dns_config nc = { .domain = "lab",
				 .gateway = "gateway",
				 .ip4 = IP4,
				 .prefix4_len = 24 };
	static const struct station_ops station_ops = { .send = send_frame,
							.owner = owner_of };
	static const struct dhcp_ops dhcp_ops = { dhcp_send, lease_changed };
	static const struct dns_ops dns_ops = {
		dns_reply,    dns_ask,	 dns_close, stream_send,
		stream_close, find_name, find_ip,   random_bytes,
	};
	struct resolver servers[RESOLV_SERVERS_MAX];
	struct hash_key key;
	char text[4096];
	FILE *file = fopen(resolv_conf, "r");
	unsigned n;

	memcpy(sc.global[0].ip, ip6, 16);
	sc.global[0].prefix_len = 64;
	memcpy(sc.ra.rdnss[0], ip6, 16);
	memcpy(nc.ip6, ip6, 16);
	nc.prefix6_len = 64;
	random_bytes(&key, sizeof(key), NULL);
	station = station_create(&sc, &key, &station_ops, NULL, now_ms());
	dhcp = dhcp_create(&dc, &key, &dhcp_ops, NULL);
	dns = dns_create(&nc, &key, &dns_ops, NULL);
	if (!file)
		die(resolv_conf);
	n = resolv_conf_parse(text, fread(text, 1, sizeof(text), file),
			      servers);
	fclose(file);
	for (unsigned i = 0; i < n; i++)
		servers[i].port = 5300; /* where the test's resolver is */
	dns_set_servers(dns, servers, n);
}

static void step(void)
{
	struct pollfd fds[3 + SOCKETS_MAX] = {
		{ .fd = 0, .events = POLLIN },
		{ .fd = tap, .events = POLLIN },
		{ .fd = listener, .events = POLLIN },
	};

	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		fds[3 + i] = (struct pollfd){ socks[i].fd, POLLIN, 0 };
	poll(fds, ARRAY_SIZE(fds), 50);
	if (fds[0].revents)
		exit(0);
	if (fds[1].revents)
		receive_frame();
	if (fds[2].revents)
		accept_stream();
	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		if (fds[3 + i].revents && socks[i].fd == fds[3 + i].fd)
			receive_sock(&socks[i]);
	station_run(station, now_ms());
	dhcp_run(dhcp, now_ms());
	dns_run(dns, now_ms());
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: segment CLIENT_NAMESPACE TAP TCP_PORT "
				"RESOLV_CONF\n");
		return 2;
	}
	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		socks[i].fd = -1;
	tap = open_tap(argv[1], argv[2]);
	listen_at(argv[3]);
	make_services(argv[4]);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		step();
}
