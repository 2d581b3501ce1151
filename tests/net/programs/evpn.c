/*
 * An overlay's mirror against the kernel of the namespace that it is started
 * in, where it makes the devices evpnbr, evpnmember and evpnvx (VNI 100,
 * VTEP 10.0.0.1).
 *
 *	evpn [-l VTEP] [DIRECTORY]
 *
 * Each datagram of the kernel goes into DIRECTORY, as a file. Devices that are
 * there already are taken over. Takes lines "local MAC", "gone MAC", "ip MAC
 * IPV4", "overrun", with MAC a number; says "ready", and what the mirror tells.
 * Ends with its input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tunnel/evpn_mirror.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

static struct mnl_socket *nl;
static const char *directory;

static void fail(const char *what)
{
	fprintf(stderr, "evpn: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static void record(const void *bytes, size_t n)
{
	static unsigned number;
	char path[256];
	FILE *file;

	if (!directory)
		return;
	snprintf(path, sizeof(path), "%s/kernel%u", directory, number++);
	file = fopen(path, "w");
	if (!file || fwrite(bytes, 1, n, file) != n || fclose(file))
		fail(path);
}

static void on_answer(const struct evpn_event *e, void *arg)
{
	if (e->type == EVPN_ERROR)
		*(int *)arg = e->error;
}

/* One request, until its answer. */
static void request(struct evpn_request *r, const char *what)
{
	char buffer[32768] __attribute__((aligned(8)));
	int error = 1;
	ssize_t n;

	if (mnl_socket_sendto(nl, r->bytes, r->len) < 0)
		fail(what);
	while (error == 1) {
		n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
		if (n < 0)
			fail(what);
		record(buffer, n);
		evpn_parse(buffer, n, on_answer, &error, NULL);
	}
	errno = -error;
	if (error)
		fail(what);
}

static void tell(const struct evpn_news *news, void *arg)
{
	static const char *const names[] = {
		[EVPN_REMOTE] = "remote",
		[EVPN_REMOTE_GONE] = "remote-gone",
		[EVPN_DISPLACED] = "displaced",
		[EVPN_RECLAIMED] = "reclaimed",
		[EVPN_FLOOD] = "flood",
		[EVPN_FLOOD_GONE] = "flood-gone",
		[EVPN_PAIR] = "pair",
		[EVPN_PAIR_GONE] = "pair-gone",
	};
	const struct evpn_ip *ip = news->vtep.len ? &news->vtep : &news->ip;
	char text[INET6_ADDRSTRLEN] = "-";

	if (ip->len)
		inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->bytes, text,
			  sizeof(text));
	printf("%s %012llx %s\n", names[news->type],
	       (unsigned long long)news->mac, text);
}

static void open_socket(void)
{
	int on = 1, groups[] = { RTNLGRP_NEIGH, RTNLGRP_LINK };

	nl = mnl_socket_open(NETLINK_ROUTE);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		fail("netlink socket");
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++)
		if (mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP,
					  &groups[i], sizeof(int)))
			fail("netlink group");
	if (setsockopt(mnl_socket_get_fd(nl), SOL_NETLINK,
		       NETLINK_GET_STRICT_CHK, &on, sizeof(on)))
		fail("strict checks");
}

static void make_devices(struct evpn_mirror_config *c)
{
	static const char *const names[] = { "evpnbr", "evpnmember", "evpnpeer",
					     "evpnvx" };
	struct evpn_request r;

	if (!if_nametoindex("evpnbr")) {
		evpn_make_bridge(&r, 1, "evpnbr", false);
		request(&r, "bridge");
		evpn_make_member(&r, 2, "evpnmember", "evpnpeer");
		request(&r, "member");
		evpn_make_vxlan(&r, 3, "evpnvx", 100, &c->local, 4790);
		request(&r, "vxlan");
	}
	c->bridge = if_nametoindex("evpnbr");
	c->member = if_nametoindex("evpnmember");
	c->vxlan = if_nametoindex("evpnvx");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		evpn_still_link(&r, 4, if_nametoindex(names[i]));
		request(&r, "no IPv6");
	}
	evpn_enslave(&r, 5, c->member, c->bridge);
	request(&r, "enslave member");
	evpn_enslave(&r, 6, c->vxlan, c->bridge);
	request(&r, "enslave vxlan");
	evpn_member_options(&r, 7, c->member, false);
	request(&r, "options of member");
	evpn_member_options(&r, 8, c->vxlan, true);
	request(&r, "options of vxlan");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		evpn_bring_up(&r, 9, if_nametoindex(names[i]));
		request(&r, "up");
	}
}

static void command(struct evpn_mirror *m, const char *line)
{
	struct evpn_ip ip = { .len = 4 };
	unsigned long long mac;
	char text[64];

	if (sscanf(line, "local %llx", &mac) == 1)
		evpn_mirror_local(m, mac);
	else if (sscanf(line, "gone %llx", &mac) == 1)
		evpn_mirror_local_gone(m, mac);
	else if (sscanf(line, "ip %llx %63s", &mac, text) == 2 &&
		 inet_pton(AF_INET, text, ip.bytes) == 1)
		evpn_mirror_local_ip(m, mac, &ip);
	else
		evpn_mirror_overrun(m);
}

static void send_all(struct evpn_mirror *m)
{
	struct evpn_request r;

	while (evpn_mirror_next_request(m, &r, clock_ms()))
		if (mnl_socket_sendto(nl, r.bytes, r.len) < 0)
			fail("request");
}

static void receive(struct evpn_mirror *m)
{
	char buffer[32768] __attribute__((aligned(8)));
	ssize_t n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));

	if (n < 0) {
		evpn_mirror_overrun(m);
		return;
	}
	record(buffer, n);
	evpn_mirror_take(m, buffer, n, clock_ms());
}

static void serve(struct evpn_mirror *m)
{
	struct pollfd fds[] = { { 0, POLLIN, 0 },
				{ mnl_socket_get_fd(nl), POLLIN, 0 } };
	bool ready = false;
	char line[128];

	for (;;) {
		send_all(m);
		if (!ready && evpn_mirror_counters(m)->resyncs) {
			ready = true;
			puts("ready");
		}
		poll(fds, 2, 50);
		if (fds[1].revents)
			receive(m);
		if (fds[0].revents) {
			if (!fgets(line, sizeof(line), stdin))
				return;
			command(m, line);
		}
	}
}

int main(int argc, char **argv)
{
	struct evpn_mirror_config config = {
		.local = { 4, { 10, 0, 0, 1 } },
		.macs_max = 1000,
		.ips_max = 1000,
		.vteps_max = 100,
		.ips_a_mac_max = 8,
		.withdraw_ms = 100,
		.hold_ms = 1000,
		.retry_ms = 100,
		.tell = tell,
	};
	struct evpn_mirror *m;

	if (argc > 2 && !strcmp(argv[1], "-l")) {
		if (inet_pton(AF_INET, argv[2], config.local.bytes) != 1)
			fail(argv[2]);
		argc -= 2;
		argv += 2;
	}
	directory = argc > 1 ? argv[1] : NULL;
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* poll() must see each line that is there */
	setvbuf(stdin, NULL, _IONBF, 0);
	open_socket();
	make_devices(&config);
	m = evpn_mirror_create(&config);
	serve(m);
	printf("refused %llu bad %llu\n",
	       (unsigned long long)evpn_mirror_counters(m)->refused,
	       (unsigned long long)evpn_mirror_counters(m)->bad);
	evpn_mirror_destroy(m);
	mnl_socket_close(nl);
	return 0;
}
