/*
 * The sockets of a segment's name service, with the real engine between them:
 * resolvers of the test's own on the loopback, a client on the unix socket, and
 * a resolv.conf that is replaced in all the ways that hosts know.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "gateway/dns_message.h"
#include "ovsdb-lite/stream.h"
#include "vswd/dns_listener.h"
#include "vswd/dns_upstream.h"
#include "vswd/resolv_watch.h"
#include "vswd/vbond.h"

#define TURNS 2000 /* of 10 ms at most, until a test fails */

static struct event_base *base;
static struct dns_upstream *upstream;
static struct dns_listener *listener;
static struct dns *dns;
static char path[200];
static uint8_t reply[4096]; /* the last to a datagram */
static size_t reply_len;
static unsigned n_replies;

static void on_reply(const struct dns_client *client, const void *message,
		     size_t len, void *arg)
{
	assert_true(len <= sizeof(reply));
	memcpy(reply, message, len);
	reply_len = len;
	n_replies++;
}

static int on_ask(uint32_t query, const struct resolver *server, bool tcp,
		  const void *message, size_t len, void *arg)
{
	return dns_upstream_ask(upstream, query, server, tcp, message, len);
}

static void on_close(uint32_t query, void *arg)
{
	dns_upstream_close(upstream, query);
}

static void on_stream_send(void *stream, const void *data, size_t len,
			   void *arg)
{
	dns_listener_send(stream, data, len);
}

static void on_stream_close(void *stream, void *arg)
{
	dns_listener_close(stream);
}

static void random_bytes(void *to, size_t len, void *arg)
{
	assert_int_equal(getrandom(to, len, 0), len);
}

static void used(void *arg)
{
}

static int setup(void **state)
{
	static const struct dns_config config = { .streams_max = 128,
						  .streams_per_port = 128 };
	static const struct dns_ops ops = {
		.reply = on_reply,
		.ask = on_ask,
		.close = on_close,
		.stream_send = on_stream_send,
		.stream_close = on_stream_close,
		.random = random_bytes,
	};
	static const struct hash_key key = { 5, 6 };
	char *why = NULL;

	base = event_base_new();
	upstream = dns_upstream_create(base, used, NULL);
	snprintf(path, sizeof(path), "/tmp/vsw-dns-%d.sock", getpid());
	listener = dns_listener_create(base, path, used, NULL, &why);
	assert_non_null(listener);
	dns = dns_create(&config, &key, &ops, NULL);
	dns_upstream_set_engine(upstream, dns);
	dns_listener_set_engine(listener, dns);
	n_replies = 0;
	return 0;
}

static int teardown(void **state)
{
	dns_destroy(dns);
	dns_upstream_destroy(upstream);
	dns_listener_destroy(listener);
	event_base_free(base);
	assert_int_equal(access(path, F_OK), -1);
	return 0;
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
	usleep(1000);
	dns_run(dns, vswitch_now_ms());
}

/* --- a resolver ------------------------------------------------------------
 */

/* A socket on the loopback, and as what the engine is to know it. */
static int open_server(int type, struct resolver *server)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(server->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	assert_return_code(bind(fd, (struct sockaddr *)&at, len), errno);
	if (type == SOCK_STREAM)
		assert_return_code(listen(fd, 8), errno);
	assert_return_code(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*server = (struct resolver){ .ip = ip_address_v4(INADDR_LOOPBACK),
				     .port = ntohs(at.sin_port) };
	return fd;
}

static void ask(uint16_t id)
{
	static const uint8_t question[] = { 3,	 'w', 'w', 'w', 7,   'e',
					    'x', 'a', 'm', 'p', 'l', 'e',
					    0,	 0,   1,   0,	1 };
	const struct dns_client client = { .ip = ip_address_v4(0x0a140005),
					   .udp_port = 1000 + id };
	uint8_t message[12 + sizeof(question)] = { id >> 8, id, 1, 0, 0, 1 };

	memcpy(message + 12, question, sizeof(question));
	dns_receive(dns, &client, message, sizeof(message), vswitch_now_ms());
}

/* What the resolver hears; who asked is in *from. */
static size_t hear(int fd, uint8_t *message, size_t size,
		   struct sockaddr_in *from)
{
	socklen_t len = sizeof(*from);
	ssize_t n = -1;

	for (int i = 0; i < TURNS && n < 0; i++) {
		turn();
		n = recvfrom(fd, message, size, 0, (struct sockaddr *)from,
			     &len);
	}
	assert_true(n > 0);
	return n;
}

static void wait_for_replies(unsigned n)
{
	for (int i = 0; i < TURNS && n_replies < n; i++)
		turn();
	assert_int_equal(n_replies, n);
}

/* --- tests ---------------------------------------------------------------- */

/* A socket each; and only the one that was asked is heard. */
static void test_datagrams(void **state)
{
	struct resolver server = { 0 }, other = { 0 };
	int fd = open_server(SOCK_DGRAM, &server);
	int spoofer = open_server(SOCK_DGRAM, &other);
	struct sockaddr_in from[2];
	uint8_t message[2][512];
	size_t len = 0;

	dns_set_servers(dns, &server, 1);
	for (int i = 0; i < 2; i++) {
		ask(i + 1);
		len = hear(fd, message[i], sizeof(message[i]), &from[i]);
		message[i][2] |= 0x80;
	}
	assert_int_not_equal(from[0].sin_port, from[1].sin_port);
	for (int i = 0; i < 2; i++)
		sendto(spoofer, message[i], len, 0, (struct sockaddr *)&from[i],
		       sizeof(from[i]));
	/* the other one's socket */
	sendto(fd, message[0], len, 0, (struct sockaddr *)&from[1],
	       sizeof(from[1]));
	for (int i = 0; i < 20; i++)
		turn();
	assert_int_equal(n_replies, 0);
	assert_int_equal(dns_counters(dns)->spoofed, 1);
	for (int i = 0; i < 2; i++)
		sendto(fd, message[i], len, 0, (struct sockaddr *)&from[i],
		       sizeof(from[i]));
	wait_for_replies(2);
	close(fd);
	close(spoofer);
}

/* A server whose port is closed costs no waiting. */
static void test_dead_server(void **state)
{
	struct resolver servers[2] = { 0 };
	int dead = open_server(SOCK_DGRAM, &servers[0]);
	int fd = open_server(SOCK_DGRAM, &servers[1]);
	uint64_t start = vswitch_now_ms();
	struct sockaddr_in from;
	uint8_t message[512];
	size_t len;

	close(dead);
	dns_set_servers(dns, servers, 2);
	ask(7);
	len = hear(fd, message, sizeof(message), &from);
	assert_in_range(vswitch_now_ms() - start, 0, DNS_TRY_MS - 1);
	message[2] |= 0x80;
	sendto(fd, message, len, 0, (struct sockaddr *)&from, sizeof(from));
	wait_for_replies(1);
	assert_int_equal(load_be16(reply), 7);
	close(fd);
}

/* Neither an IPv6 address without a way there nor anything else blocks. */
static void test_unreachable(void **state)
{
	struct resolver server = { .port = 53, .scope = "nosuchdev0" };

	server.ip =
		ip_address_of((const uint8_t[16]){ 0xfe, 0x80, [15] = 1 }, 16);
	dns_set_servers(dns, &server, 1);
	ask(9);
	wait_for_replies(1);
	assert_int_equal(DNS_RCODE(load_be16(reply + 2)), DNS_SERVFAIL);
}

static ssize_t read_some(int fd, void *to, size_t size)
{
	ssize_t n = -1;

	for (int i = 0; i < TURNS && n < 0; i++) {
		turn();
		n = recv(fd, to, size, MSG_DONTWAIT);
	}
	return n;
}

/* By TCP on both sides; the answer in pieces. */
static void test_stream(void **state)
{
	static const uint8_t question[] = {
		0,   29,  0x12, 0x34, 1,   0,	0,   1, 0,   0,	  0,
		0,   0,	  0,	3,    'w', 'w', 'w', 7, 'e', 'x', 'a',
		'm', 'p', 'l',	'e',  0,   0,	1,   0, 1,
	};
	struct resolver server = { 0 };
	int listening = open_server(SOCK_STREAM, &server), fd = -1;
	int client = stream_connect_unix(path, NULL);
	uint8_t message[512];
	ssize_t n;

	dns_set_servers(dns, &server, 1);
	assert_int_equal(write(client, question, sizeof(question)),
			 sizeof(question));
	for (int i = 0; i < TURNS && fd < 0; i++) {
		turn();
		fd = accept(listening, NULL, NULL);
	}
	assert_true(fd >= 0);
	n = read_some(fd, message, sizeof(message));
	assert_int_equal(n, sizeof(question));
	message[4] |= 0x80;
	for (ssize_t i = 0; i < n; i++) {
		assert_int_equal(write(fd, message + i, 1), 1);
		turn();
	}
	assert_int_equal(read_some(client, message, sizeof(message)), n);
	assert_int_equal(load_be16(message + 2), 0x1234);
	close(fd);
	close(client);
	close(listening);
}

/* Whoever is silent for longest gives way; the others go on. */
static void test_too_many(void **state)
{
	int fds[DNS_LISTENER_STREAMS_MAX + 1];
	uint8_t byte;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = stream_connect_unix(path, NULL);
		assert_true(fds[i] >= 0);
		turn();
	}
	assert_int_equal(read_some(fds[0], &byte, 1), 0);
	assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void test_path(void **state)
{
	char dir[120], *name;

	name = dns_listener_path("/run/vsw", "lab");
	assert_string_equal(name, "/run/vsw/lab.dns");
	free(name);
	name = dns_listener_path("/run/vsw", "../../etc");
	assert_null(name);
	memset(dir, 'x', sizeof(dir));
	dir[sizeof(dir) - 1] = '\0';
	assert_null(dns_listener_path(dir, "lab"));
}

/* --- resolv.conf -----------------------------------------------------------
 */

static unsigned n_changes;
static uint32_t first_server;

static void changed(const struct resolver *servers, unsigned n, void *arg)
{
	n_changes++;
	first_server = n ? ip_address_to_v4(&servers[0].ip) : 0;
}

static void write_conf(const char *dir, const char *name, unsigned last)
{
	char file[256];
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	f = fopen(file, "w");
	assert_non_null(f);
	fprintf(f, "search example.org\nnameserver 192.0.2.%u\n", last);
	fclose(f);
}

static void wait_for_server(unsigned last)
{
	uint32_t ip = last ? 0xc0000200 + last : 0;

	for (int i = 0; i < TURNS && first_server != ip; i++)
		turn();
	assert_int_equal(first_server, ip);
}

static const char *in(const char *dir, const char *name)
{
	static char names[2][256];
	static unsigned i;

	i = !i;
	snprintf(names[i], sizeof(names[i]), "%s/%s", dir, name);
	return names[i];
}

static void test_resolv_conf(void **state)
{
	char dir[64];
	struct resolv_watch *watch;
	const struct resolver *servers;

	snprintf(dir, sizeof(dir), "/tmp/vsw-resolv-XXXXXX");
	assert_non_null(mkdtemp(dir));
	write_conf(dir, "resolv.conf", 1);
	n_changes = 0;
	watch = resolv_watch_create(base, in(dir, "resolv.conf"), changed,
				    NULL);
	assert_int_equal(resolv_watch_servers(watch, &servers), 1);
	assert_int_equal(ip_address_to_v4(&servers[0].ip), 0xc0000201);
	assert_int_equal(n_changes, 0);
	/* written in place, replaced, removed, made again */
	write_conf(dir, "resolv.conf", 2);
	wait_for_server(2);
	write_conf(dir, "new", 3);
	assert_return_code(rename(in(dir, "new"), in(dir, "resolv.conf")), 0);
	wait_for_server(3);
	assert_return_code(unlink(in(dir, "resolv.conf")), 0);
	wait_for_server(0);
	/* a link into a directory that is not there yet */
	assert_return_code(symlink("run/resolve/stub", in(dir, "resolv.conf")),
			   0);
	for (int i = 0; i < 100; i++)
		turn();
	assert_return_code(mkdir(in(dir, "run"), 0755), 0);
	for (int i = 0; i < 100; i++)
		turn();
	assert_return_code(mkdir(in(dir, "run/resolve"), 0755), 0);
	write_conf(dir, "run/resolve/stub", 4);
	wait_for_server(4);
	/* what it points to is replaced */
	write_conf(dir, "run/resolve/new", 5);
	assert_return_code(
		rename(in(dir, "run/resolve/new"), in(dir, "run/resolve/stub")),
		0);
	wait_for_server(5);
	/* the same servers again are no change */
	n_changes = 0;
	write_conf(dir, "run/resolve/stub", 5);
	for (int i = 0; i < 100; i++)
		turn();
	assert_int_equal(n_changes, 0);
	resolv_watch_destroy(watch);
	unlink(in(dir, "run/resolve/stub"));
	rmdir(in(dir, "run/resolve"));
	rmdir(in(dir, "run"));
	unlink(in(dir, "resolv.conf"));
	assert_return_code(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_datagrams),   T(test_dead_server), T(test_unreachable),
		T(test_stream),	     T(test_too_many),	  T(test_path),
		T(test_resolv_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
