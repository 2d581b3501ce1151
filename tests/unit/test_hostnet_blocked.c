/*
 * The name service does not accept connections, as its thread waits for that of
 * the port to the host's sockets, which waits for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ticks.h"
#include "packet/csum.h"
#include "packet/packet.h"
#include "packet/parse.h"
#include "port/hostnet_port.h"

#define GATEWAY	   0x0a140001
#define MACHINE	   0x0a14000f
#define THREAD	   1
#define SYN	   0x02
#define ACK	   0x10
#define CONNECTION 4 /* more than a socket with a backlog of 0 keeps */

static struct port *port;
static char directory[] = "/tmp/hostnet-blocked-XXXXXX", path[64];

static int listen_there(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/dns", directory);
	strcpy(at.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void open_port(void)
{
	const struct port_option options[] = {
		{ .key = "ip4", .value = "10.20.0.1/24" },
		{ .key = "router-mac", .value = "02:56:00:00:00:01" },
		{ .key = "dns-socket", .value = path },
	};
	const struct port_config config = {
		.name = "lab.host",
		.type = "hostnet",
		.options = options,
		.n_options = ARRAY_SIZE(options),
		.n_threads = THREAD + 1,
		.run_dir = directory,
	};
	char *why = NULL;

	assert_int_equal(port_open(&config, &port, &why), 0);
}

static void send_tcp(uint16_t from, uint8_t flags, uint32_t seq, uint32_t ack)
{
	uint8_t frame[54] = { [12] = 8, [14] = 0x45, [22] = 64, [23] = 6 };
	uint8_t *tcp = frame + 34;
	struct packet p, *packets[] = { &p };

	store_be16(frame + 16, 40);
	store_be32(frame + 26, MACHINE);
	store_be32(frame + 30, GATEWAY);
	csum_ipv4_header(frame + 14, 20);
	store_be16(tcp, from);
	store_be16(tcp + 2, 53);
	store_be32(tcp + 4, seq);
	store_be32(tcp + 8, ack);
	tcp[12] = 0x50;
	tcp[13] = flags;
	store_be16(tcp + 14, 65535);
	csum_store(tcp + 16,
		   csum_add(csum_pseudo4(frame + 14, 6, 20), tcp, 20));
	packet_init(&p, frame, sizeof(frame));
	packet_pull_first(&p);
	port_send(port, packets, 1, THREAD);
}

/* The number with which the answer to that port begins. */
static uint32_t wait_for_answer(uint16_t to)
{
	struct port_rxq *rxq = port->rxqs[0];
	struct packet p;
	uint8_t frame[64];
	uint32_t seq = 0;
	bool there = false;

	while (!there) {
		if (!port->class->receive(rxq, &p, 1, THREAD)) {
			usleep(1000);
			continue;
		}
		there = packet_read(&p, 0, frame, 54) == 54 &&
			frame[47] == (SYN | ACK) && load_be16(frame + 36) == to;
		seq = load_be32(frame + 38);
		port->class->done(rxq);
	}
	return seq;
}

/* Is a thread of ours in connect()? */
static bool is_connecting(void)
{
	DIR *dir = opendir("/proc/self/task");
	char name[300], text[32] = "";
	struct dirent *entry;
	bool found = false;
	FILE *file;

	while ((entry = readdir(dir))) {
		snprintf(name, sizeof(name), "/proc/self/task/%s/syscall",
			 entry->d_name);
		file = fopen(name, "r");
		if (!file)
			continue;
		if (fgets(text, sizeof(text), file))
			found |= atoi(text) == SYS_connect;
		fclose(file);
	}
	closedir(dir);
	return found;
}

static void nobody_waits_for_ever(void **state)
{
	char *text;
	int fd;

	alarm(60); /* which would be for ever */
	ticks_init();
	fd = listen_there();
	open_port();
	for (uint16_t i = 0; i < CONNECTION && !is_connecting(); i++) {
		send_tcp(4000 + i, SYN, 1, 0);
		send_tcp(4000 + i, ACK, 2, wait_for_answer(4000 + i) + 1);
		usleep(20000); /* the sooner it is seen the fewer it takes */
	}
	while (!is_connecting())
		usleep(1000);
	text = hostnet_show(port);
	assert_non_null(text);
	free(text);
	port_close(port);
	close(fd);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
