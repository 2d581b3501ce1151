/* A VM's ports (vmm/host/wiring.h) on a real vswd, in the same event loop. */
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon_fixture.h"
#include "vmm/host/wiring.h"
#include "vmm/host/wiring_private.h"

#define UUID_1 "11111111-1111-4111-8111-111111111111"
#define UUID_2 "22222222-2222-4222-8222-222222222222"

enum { PATIENCE_MS = 20000 };

static struct test_daemon vswd;
static char *database, *socket_path;

static int setup(void **state)
{
	test_daemon_setup(&vswd);
	database = xasprintf("unix:%s", vswd.options.db_socket);
	socket_path = xasprintf("%s/net0.sock", vswd.dir);
	db_add_bridge(&vswd, "br0");
	db_add_bridge(&vswd, "br1");
	return 0;
}

static int teardown(void **state)
{
	test_daemon_teardown(&vswd);
	free(database);
	free(socket_path);
	return 0;
}

static struct wiring *vm(const char *name, const char *uuid)
{
	return wiring_create(vswd.base, database, name, uuid);
}

static struct vm_net card(const char *bridge)
{
	return (struct vm_net){
		.id = "net0",
		.bridge = (char *)bridge,
		.queues = 1,
		.tag = -1,
	};
}

static void add(struct wiring *w, struct vm_net *net)
{
	char *why = NULL;

	if (wiring_add(w, net, socket_path, NULL, &why))
		fail_msg("%s", why);
}

static void add_fails(struct wiring *w, struct vm_net *net, const char *text)
{
	char *why = NULL;

	assert_true(wiring_add(w, net, socket_path, NULL, &why) < 0);
	if (!strstr(why, text) || strchr(why, '\n'))
		fail_msg("%s", why);
	free(why);
}

static void remove_port(struct wiring *w, const char *port)
{
	assert_int_equal(wiring_remove(w, port, PATIENCE_MS, NULL), 0);
}

static unsigned int count_rows(struct wiring *w, const char *table)
{
	const struct ovsdb_client_row *row = NULL;
	unsigned int n = 0;

	while ((row = ovsdb_client_next(w->client, table, row)))
		n++;
	return n;
}

/* The values of an operation's result, asked for by another client. */
struct answer {
	bool there;
	json_t *rows;
};

static void answered(struct ovsdb_client *client, json_t *result,
		     const char *error, void *aux)
{
	struct answer *a = aux;

	if (error)
		fail_msg("%s", error);
	a->there = true;
	a->rows =
		json_incref(json_object_get(json_array_get(result, 0), "rows"));
}

static bool is_there(struct test_daemon *f, void *aux)
{
	return ((struct answer *)aux)->there;
}

static json_t *ask(const char *table, const char *name)
{
	struct answer a = { false };
	json_t *row;

	ovsdb_client_transact(vswd.client,
			      json_pack("[{s:s, s:s, s:[[s, s, s]]}]", "op",
					"select", "table", table, "where",
					"name", "==", name),
			      answered, &a);
	test_daemon_wait(&vswd, is_there, &a);
	row = json_incref(json_array_get(a.rows, 0));
	json_decref(a.rows);
	return row;
}

static void assert_column(const char *table, const char *name,
			  const char *column, const char *wanted)
{
	json_t *row = ask(table, name);
	char *text = json_dumps(json_object_get(row, column),
				JSON_COMPACT | JSON_ENCODE_ANY);

	assert_non_null(row);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(row);
}

static void test_card_gets_a_port(void **state)
{
	struct wiring *w = vm("vm1", UUID_1);
	struct vm_net net = card("br0");
	char *ids, *options;
	json_t *info;

	net.tag = 10;
	net.rate_kbps = 5000;
	net.queues = 2;
	net.mtu = 9000;
	add(w, &net);
	assert_string_equal(net.port, "vm1-net0");
	assert_memory_equal(net.mac, "\x08\x00\x27", 3);
	ids = xasprintf(
		"[\"map\",[[\"attached-mac\",\"08:00:27:%02x:%02x:%02x\""
		"],[\"iface-id\",\"" UUID_1 "-net0\"],[\"vm-id\","
		"\"" UUID_1 "\"],[\"vm-name\",\"vm1\"]]]",
		net.mac[3], net.mac[4], net.mac[5]);
	options = xasprintf("[\"map\",[[\"queues\",\"2\"],"
			    "[\"vhost-server-path\",\"%s\"]]]",
			    socket_path);
	assert_column("Port", "vm1-net0", "external_ids", ids);
	assert_column("Port", "vm1-net0", "tag", "10");
	assert_column("Interface", "vm1-net0", "external_ids", ids);
	assert_column("Interface", "vm1-net0", "options", options);
	assert_column("Interface", "vm1-net0", "type", "\"vhostuserclient\"");
	assert_column("Interface", "vm1-net0", "ingress_policing_rate", "5000");
	assert_column("Interface", "vm1-net0", "mtu_request", "9000");
	assert_non_null(db_find_fwd_port(&vswd, "br0", "vm1-net0"));
	info = wiring_port_info(w, "vm1-net0");
	assert_string_equal(json_string_value(json_object_get(info, "link")),
			    "down");
	json_decref(info);
	assert_null(wiring_port_info(w, "vm1-net9"));

	remove_port(w, "vm1-net0");
	assert_null(ask("Port", "vm1-net0"));
	assert_null(ask("Interface", "vm1-net0"));
	remove_port(w, "vm1-net0"); /* is not there: fine */
	wiring_destroy(w);
	free(net.port);
	free(ids);
	free(options);
}

static void test_trunks(void **state)
{
	struct wiring *w = vm("vm1", UUID_1);
	struct vm_net net = card("br0");

	net.trunks = (char *)"10,20,30";
	net.tag = 5;
	net.vlan_mode = (char *)"native-untagged";
	add(w, &net);
	assert_column("Port", net.port, "trunks", "[\"set\",[10,20,30]]");
	assert_column("Port", net.port, "tag", "5");
	assert_column("Port", net.port, "vlan_mode", "\"native-untagged\"");
	remove_port(w, NULL);
	wiring_destroy(w);
	free(net.port);
}

/* vswd listens, and says where. */
static void test_client(void **state)
{
	struct wiring *w = vm("vm1", UUID_1);
	struct vm_net net = card("br0");
	char *path;

	net.client = true;
	add(w, &net);
	assert_column("Interface", net.port, "type", "\"vhostuser\"");
	path = wiring_client_socket(w, net.port);
	assert_non_null(path);
	assert_int_equal(access(path, F_OK), 0);
	free(path);
	remove_port(w, NULL);
	wiring_destroy(w);
	free(net.port);
}

static void test_no_such_bridge(void **state)
{
	struct wiring *w = vm("vm1", UUID_1);
	struct vm_net net = card("br7");

	add_fails(w, &net, "there is no bridge or segment br7; ");
	assert_int_equal(count_rows(w, "Port"), 0);
	wiring_destroy(w);
	free(net.port);
}

static void test_mac_in_use(void **state)
{
	struct wiring *w = vm("vm1", UUID_1), *v = vm("vm2", UUID_2);
	struct vm_net net = card("br0"), other = card("br0");

	memcpy(net.mac, "\x02\x00\x00\x00\x00\x01", 6);
	memcpy(other.mac, "\x02\x00\x00\x00\x00\x01", 6);
	add(w, &net);
	assert_memory_equal(net.mac, "\x02\x00\x00\x00\x00\x01", 6);
	add_fails(v, &other,
		  "net0: port vm1-net0 of bridge br0 has the address "
		  "02:00:00:00:00:01");
	other.bridge = (char *)"br1"; /* which knows nothing of it */
	add(v, &other);
	remove_port(v, NULL);
	remove_port(w, NULL);
	wiring_destroy(w);
	wiring_destroy(v);
	free(net.port);
	free(other.port);
}

/* What a keeper that was killed has left behind is replaced. */
static void test_left_behind(void **state)
{
	struct wiring *w = vm("vm1", UUID_1);
	struct vm_net net = card("br0"), again = card("br1");
	uint8_t mac[6];

	add(w, &net);
	memcpy(mac, net.mac, 6);
	wiring_destroy(w);
	w = vm("vm1", UUID_1);
	memcpy(again.mac, mac, 6);
	add(w, &again);
	assert_string_equal(again.port, "vm1-net0");
	assert_memory_equal(again.mac, mac, 6);
	assert_null(db_find_fwd_port(&vswd, "br0", "vm1-net0"));
	assert_non_null(db_find_fwd_port(&vswd, "br1", "vm1-net0"));
	wiring_destroy(w);
	/* or removed by somebody who knows only the VM */
	w = vm("vm1", UUID_1);
	remove_port(w, NULL);
	assert_null(ask("Port", "vm1-net0"));
	wiring_destroy(w);
	free(net.port);
	free(again.port);
}

/* Two VMs of one name, in two homes. */
static void test_name_is_taken(void **state)
{
	struct wiring *w = vm("vm1", UUID_1), *v = vm("vm1", UUID_2);
	struct vm_net net = card("br0"), other = card("br0");

	add(w, &net);
	add(v, &other);
	assert_string_equal(other.port, "vm1-net0~2");
	remove_port(w, "vm1-net0~2"); /* not its own */
	assert_non_null(db_find_fwd_port(&vswd, "br0", "vm1-net0~2"));
	remove_port(w, NULL);
	remove_port(v, NULL);
	assert_int_equal(count_rows(v, "Port"), 0);
	wiring_destroy(w);
	wiring_destroy(v);
	free(net.port);
	free(other.port);
}

enum { N = 12 };

static _Atomic int n_added;

static void *add_one(void *aux)
{
	struct vm_net *net = aux;
	char *uuid = xasprintf("33333333-3333-4333-8333-33333333333%x",
			       net->queues - 1);
	struct wiring *w = wiring_create(NULL, database, "same", uuid);

	net->queues = 1;
	if (wiring_add(w, net, socket_path, NULL, NULL))
		net->queues = 0;
	wiring_destroy(w);
	free(uuid);
	n_added++;
	return NULL;
}

/* Many at once on one bridge: they read before any has written. */
static void test_all_at_once(void **state)
{
	struct wiring *w = vm("same", UUID_1);
	pthread_t threads[N];
	struct vm_net nets[N];

	for (int i = 0; i < N; i++) {
		nets[i] = card("br0");
		nets[i].queues = i + 1;
		pthread_create(&threads[i], NULL, add_one, &nets[i]);
	}
	while (n_added < N)
		event_base_loop(vswd.base, EVLOOP_NONBLOCK);
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(nets[i].queues, 1);
		for (int k = 0; k < i; k++) {
			assert_string_not_equal(nets[i].port, nets[k].port);
			assert_memory_not_equal(nets[i].mac, nets[k].mac, 6);
		}
	}
	remove_port(w, NULL);
	assert_int_equal(count_rows(w, "Port"), N);
	wiring_destroy(w);
	for (int i = 0; i < N; i++) {
		char *uuid =
			xasprintf("33333333-3333-4333-8333-33333333333%x", i);

		w = vm("same", uuid);
		remove_port(w, NULL);
		wiring_destroy(w);
		free(nets[i].port);
		free(uuid);
	}
}

/* vswd cannot do what the row says: the row goes again. */
static void test_refused_by_vswd(void **state)
{
	struct wiring *w = vm("vm1", UUID_1);
	struct vm_net net = card("br0");
	char *good = socket_path;

	socket_path = xasprintf("/%0200d.sock", 1);
	add_fails(w, &net,
		  "br0: vswd cannot make the port: vm1-net0: /0000000");
	free(socket_path);
	socket_path = good;
	assert_null(ask("Port", "vm1-net0"));
	assert_null(ask("Interface", "vm1-net0"));
	wiring_destroy(w);
	free(net.port);
}

static void test_no_database(void **state)
{
	struct wiring *w = wiring_create(vswd.base, "unix:/nonexistent/db.sock",
					 "vm1", UUID_1);
	struct vm_net net = card("br0");
	char *why = NULL;

	add_fails(w, &net, "unix:/nonexistent/db.sock: ");
	/* what is to be removed waits for it */
	assert_int_equal(wiring_remove(w, NULL, 1, &why), -ETIMEDOUT);
	assert_non_null(strstr(why, "/nonexistent/db.sock"));
	free(why);
	wiring_destroy(w);
	free(net.port);
}

static void restart(void)
{
	test_daemon_stop(&vswd);
	test_daemon_start(&vswd);
}

static bool is_forwarding(struct test_daemon *f, void *aux)
{
	return db_find_fwd_port(f, "br0", "vm1-net0") != NULL;
}

static bool is_not_forwarding(struct test_daemon *f, void *aux)
{
	return !is_forwarding(f, aux);
}

/* Ports are rows, so they come back by themselves. */
static void test_vswd_restarts(void **state)
{
	struct wiring *w = vm("vm1", UUID_1);
	struct vm_net net = card("br0");

	add(w, &net);
	wiring_destroy(w);
	restart();
	test_daemon_wait(&vswd, is_forwarding, NULL);
	w = vm("vm1", UUID_1);
	remove_port(w, NULL);
	test_daemon_wait(&vswd, is_not_forwarding, NULL);
	wiring_destroy(w);
	free(net.port);
}

/* --- taps ----------------------------------------------------------------- */

static void test_tap(void **state)
{
	struct wiring *w = vm("a-machine-with-a-name", UUID_1);
	struct vm_net net = card("br0");
	int taps[2] = { -1, -1 };
	char *why = NULL;

	net.kind = VM_NET_TAP;
	net.queues = 2;
	if (wiring_add(w, &net, NULL, taps, &why)) {
		assert_non_null(strstr(why, "cannot make tap device"));
		print_message("%s\n", why);
		free(why);
		wiring_destroy(w);
		free(net.port);
		skip();
	}
	assert_string_equal(net.port, "a-machine--net0");
	assert_int_not_equal(if_nametoindex(net.port), 0);
	assert_column("Interface", net.port, "type", "\"\"");
	assert_column("Interface", net.port, "error", "[\"set\",[]]");
	assert_non_null(db_find_fwd_port(&vswd, "br0", net.port));
	remove_port(w, NULL);
	close(taps[0]);
	close(taps[1]);
	assert_int_equal(if_nametoindex(net.port), 0);
	wiring_destroy(w);
	free(net.port);
}

/* A device of that name is left alone, and so is what fails. */
static void test_tap_name_is_taken(void **state)
{
	struct wiring *w = vm("vmt", UUID_1);
	struct vm_net net = card("br0");
	int other, taps[1] = { -1 };
	char *why = NULL;

	if (tap_create("vmt-net0", 1, &other, &why)) {
		print_message("%s\n", why);
		free(why);
		skip();
	}
	assert_int_equal(tap_create("vmt-net0", 1, taps, NULL), -EBUSY);
	net.kind = VM_NET_TAP;
	assert_int_equal(wiring_add(w, &net, NULL, taps, NULL), 0);
	assert_string_equal(net.port, "vmt-net0~2");
	remove_port(w, NULL);
	net.bridge = (char *)"br7";
	close(taps[0]);
	taps[0] = -1;
	assert_true(wiring_add(w, &net, NULL, taps, NULL) < 0);
	assert_int_equal(taps[0], -1);
	close(other);
	wiring_destroy(w);
	free(net.port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_card_gets_a_port),
		cmocka_unit_test(test_trunks),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_no_such_bridge),
		cmocka_unit_test(test_mac_in_use),
		cmocka_unit_test(test_left_behind),
		cmocka_unit_test(test_name_is_taken),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_refused_by_vswd),
		cmocka_unit_test(test_no_database),
		cmocka_unit_test(test_vswd_restarts),
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_tap_name_is_taken),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
