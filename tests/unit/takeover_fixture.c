#include "takeover_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fastpath/fastpath_internal.h"
#include "packet/parse.h"

#define BRIDGE	 3
#define MTU_HERE 1500

char takeover_dir[SCRATCH_SIZE];
bool takeover_only_filters;

static const char *const devices[] = { "va", "vc" };
static const uint64_t stations[] = { STATION_A, STATION_B };

int fast_daemon_start(struct fast_daemon *d, const char *run_dir)
{
	struct fdb_config fdb = { .max_entries = 1024, .seed = 1 };
	struct port_config config = { .type = "", .n_threads = 1, .n_rxqs = 1 };
	char *why = NULL;

	d->fp = fastpath_create(run_dir, &why);
	if (!d->fp) {
		fprintf(stderr, "no fast path: %s\n", why);
		free(why);
		return -1;
	}
	d->fp->only_filters = takeover_only_filters;
	fdb.fastpath = config.fastpath = d->fp;
	d->fdb = fdb_create(&fdb);
	for (int i = 0; i < 2; i++) {
		config.name = devices[i];
		if (port_open(&config, &d->ports[i], &why)) {
			fprintf(stderr, "%s\n", why);
			return -1;
		}
		if (!d->ports[i]->fastpath) {
			fprintf(stderr, "%s: %s\n", devices[i],
				d->ports[i]->no_fastpath);
			return -1;
		}
	}
	return 0;
}

static void tell_port(const struct fastpath_port *part, struct fp_port *port)
{
	*port = (struct fp_port){
		.ifindex = fastpath_port_ifindex(part),
		.flags = FP_IN | FP_OUT,
		.slot = fastpath_port_slot(part),
		.vlans = { 1 }, /* VLAN 0: of no bridge that has VLANs */
	};
}

int fast_daemon_publish(struct fast_daemon *d)
{
	struct fp_port ports[3] = { 0 };
	struct fastpath_port *handles[3] = { NULL };
	struct fastpath_bridge bridge = {
		.index = BRIDGE,
		.table = fdb_fastpath_table(d->fdb),
		.ports = ports,
		.n_ports = 3,
		.handles = handles,
	};

	for (int i = 0; i < 2; i++) {
		fdb_learn(d->fdb, fdb_make_key(stations[i], 0), i + 1);
		handles[i + 1] = d->ports[i]->fastpath;
		tell_port(handles[i + 1], &ports[i + 1]);
	}
	return fastpath_publish(d->fp, &bridge, 1);
}

void fast_daemon_settle(struct fast_daemon *d)
{
	for (int i = 0; i < 2; i++)
		d->ports[i]->class->settled(d->ports[i]);
}

void fast_daemon_stop(struct fast_daemon *d)
{
	fastpath_publish(d->fp, NULL, 0);
	for (int i = 0; i < 2; i++)
		port_close(d->ports[i]);
	fdb_destroy(d->fdb);
	fastpath_destroy(d->fp);
}

pid_t fast_daemon_child(const char *run_dir, void (*more)(struct fast_daemon *))
{
	struct fast_daemon d;
	int ready[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fast_daemon_start(&d, run_dir) || fast_daemon_publish(&d))
			_exit(1);
		if (more)
			more(&d);
		else
			fast_daemon_settle(&d);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

void fast_daemon_kill(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void send_to(int wire, uint32_t number, uint8_t last)
{
	uint8_t frame[60];

	host_make_udp(frame, sizeof(frame), number);
	frame[5] = last;
	host_send(wire, NULL, frame, sizeof(frame));
}

void takeover_send(int wire, uint32_t number)
{
	send_to(wire, number, 0x0b);
}

void takeover_send_unknown(int wire, uint32_t number)
{
	send_to(wire, number, 0x77);
}

void takeover_expect(int wire, uint32_t number)
{
	static struct host_frame seen;

	assert_true(host_receive(wire, &seen));
	assert_int_equal(load_be32(seen.data + 42), number);
}

uint32_t takeover_received(struct port *port)
{
	struct packet packet;
	uint32_t number;

	assert_int_equal(host_port_receive(port, &packet, 1), 1);
	number = host_udp_number(&packet);
	port->class->done(port->rxqs[0]);
	return number;
}

unsigned takeover_programs(const char *device)
{
	uint32_t ids[8];
	struct attach_point point = {
		.ifindex = if_nametoindex(device),
		.hook = ATTACH_INGRESS,
		.way = ATTACH_TCX,
	};
	unsigned n = attach_list(&point, ids, ARRAY_SIZE(ids));

	point.way = ATTACH_FILTER;
	return n + attach_list(&point, ids, ARRAY_SIZE(ids));
}
