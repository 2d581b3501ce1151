/* A VM's configuration: its command line, vm.json, and what both refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/host/options.h"

/* Parses words separated by spaces. */
static int parse(struct vm_options *options, const char *line, char **errp)
{
	char *copy = xstrdup(line), *words[32], *next = copy;
	int n = 0, error;

	while ((words[n] = strsep(&next, " ")))
		n++;
	memset(options, 0, sizeof(*options));
	vm_config_init(&options->config);
	error = vm_options_parse(options, words, errp);
	free(copy);
	return error;
}

static void test_command_line(void **state)
{
	struct vm_options options;
	struct vm_config *config = &options.config;
	char *error = NULL;

	parse(&options,
	      "--name vm1 --kernel /vmlinuz --initrd=/initrd --append "
	      "console=ttyS0 --cpus 2 --memory 1G --boot-timer --vsock 7 --net "
	      "br0,tag=10,mac=08:00:27:00:00:01,rate=10M,client --net "
	      "br1,trunks=10,20,30,mtu=9000,queues=4,packed --disk "
	      "/root.qcow2,format=qcow2,read-only --detach --serial log",
	      &error);
	assert_null(error);
	assert_string_equal(config->name, "vm1");
	assert_string_equal(config->append, "console=ttyS0");
	assert_int_equal(config->cpus, 2);
	assert_int_equal(config->memory_mib, 1024);
	assert_true(config->boot_timer && options.detach);
	assert_int_equal(config->vsock_cid, 7);
	assert_int_equal(config->serial, VM_SERIAL_LOG);
	assert_int_equal(strlen(config->uuid), 36);
	assert_int_equal(config->n_nets, 2);
	assert_int_equal(config->nets[0].tag, 10);
	assert_true(config->nets[0].mac_given && config->nets[0].client);
	assert_memory_equal(config->nets[0].mac, "\x08\0\x27\0\0\x01", 6);
	assert_int_equal(config->nets[0].rate_kbps, 10000);
	assert_string_equal(config->nets[0].id, "net0");
	assert_string_equal(config->nets[1].id, "net1");
	assert_string_equal(config->nets[1].trunks, "10,20,30");
	assert_int_equal(config->nets[1].tag, -1);
	assert_int_equal(config->nets[1].mtu, 9000);
	assert_int_equal(config->nets[1].queues, 4);
	assert_true(config->nets[1].packed && !config->nets[1].mac_given);
	assert_string_equal(config->disks[0].path, "/root.qcow2");
	assert_true(config->disks[0].read_only && !config->disks[0].direct);
	vm_config_uninit(config);
}

static void test_refused(void **state)
{
	static const struct {
		const char *line, *error;
	} lines[] = {
		{ "--kernel /k", "name is missing" },
		{ "--name ../x --kernel /k",
		  "name: \"../x\" is no name for a VM; use letters, digits, "
		  "'-', '_' and '.'" },
		{ "--name x", "kernel is missing" },
		{ "--net", "net: a value is missing" },
		{ "--net=", "net: a value is missing" },
		{ "--name x --disk", "disk: a value is missing" },
		{ "--name x --kernel", "kernel: a value is missing" },
		{ "--kernle /k",
		  "\"kernle\" is not known; did you mean \"kernel\"?" },
		{ "vm1", "\"vm1\" is no option; \"vsw-vmm help run\" lists "
			 "them" },
		{ "--cpus 0", "cpus: 0 is not from 1 to 64" },
		{ "--cpus 1x", "cpus: \"1x\" is no number" },
		{ "--memory 9999999999999999T",
		  "memory: \"9999999999999999T\" is no number with a unit of "
		  "MGT" },
		{ "--serial tty", "serial: \"tty\" is none of terminal, "
				  "socket, log, none" },
		{ "--net br0,tag=4095",
		  "nets 0: tag: 4095 is not from 0 to 4094" },
		{ "--net br0,tag=-1", "nets 0: tag: -1 is not from 0 to 4094" },
		{ "--net ,tag=1", "nets 0: no bridge; name one of vswd's "
				  "bridges or segments" },
		{ "--net br0,mac=01:00:00:00:00:01",
		  "nets 0: mac: 01:00:00:00:00:01 is not a card's own "
		  "address" },
		{ "--net br0,mac=8:0:27:1:2:3",
		  "nets 0: mac: \"8:0:27:1:2:3\" is no address such as "
		  "08:00:27:12:34:56" },
		{ "--net br0,trunks=10,4095",
		  "nets 0: trunks: \"10,4095\" is no list of VLANs such as "
		  "10,20" },
		{ "--net br0,back_end=tap,client",
		  "nets 0: client is for a card of vhost-user only" },
		{ "--net br0,link_down=maybe",
		  "nets 0: link_down: \"maybe\" is neither on nor off" },
		{ "--net br0,uuid=1", "nets 0: \"uuid\" is not known" },
		{ "--disk /a",
		  "disks 0: /a: its format is not stated; add format=raw, "
		  "format=qcow2 or what it is" },
		{ "--disk /a,format=qcow2,back_end=own",
		  "disks 0: /a: our own back end takes raw images only, not "
		  "qcow2; leave back_end=own out" },
		{ "--name x --kernel /k --net br0,id=a --net br0,id=a",
		  "id: two devices are called a" },
		{ "--name x --kernel /k --disk /a,format=raw,id=net1 "
		  "--net br0,id=net1",
		  "id: two devices are called net1" },
		{ "--name x --kernel /k --net br0,id=rng --rng",
		  "id: two devices are called rng" },
	};
	struct vm_options options;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char *error = NULL;

		assert_int_not_equal(parse(&options, lines[i].line, &error), 0);
		assert_string_equal(error, lines[i].error);
		free(error);
		vm_config_uninit(&options.config);
	}
}

/* What is written is read again as it was. */
static void test_json(void **state)
{
	struct vm_options options;
	struct vm_config again;
	json_t *json, *json_again;
	char *error = NULL;

	parse(&options,
	      "--name vm1 --kernel /k --memory 64 --rng --net "
	      "br0,trunks=1,2,vlan_mode=trunk,link-down --disk "
	      "/a,format=raw,back_end=own,direct",
	      &error);
	assert_null(error);
	json = vm_config_to_json(&options.config);
	vm_config_init(&again);
	vm_config_from_json(&again, json, &error);
	assert_null(error);
	json_again = vm_config_to_json(&again);
	assert_true(json_equal(json, json_again));
	assert_int_equal(
		json_integer_value(json_object_get(json, "memory_mib")), 64);
	assert_null(json_object_get(json, "cpus"));
	json_decref(json);
	json_decref(json_again);
	vm_config_uninit(&again);
	vm_config_uninit(&options.config);
}

static void test_json_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} texts[] = {
		{ "[]", "not an object" },
		{ "{\"cpu\": 1}", "\"cpu\" is not known" },
		{ "{\"cpus\": \"1\"}", "cpus: a value of the wrong type" },
		{ "{\"cpus\": 9999999999}",
		  "cpus: 9999999999 is not from 1 to 64" },
		{ "{\"rng\": 1}", "rng: a value of the wrong type" },
		{ "{\"nets\": {}}", "nets: not a list of at most 16" },
		{ "{\"nets\": [1]}", "nets 0: not an object" },
		{ "{\"nets\": [{\"bridge\": \"b\", \"queues\": 17}]}",
		  "nets 0: queues: 17 is not from 1 to 16" },
		{ "{\"nets\": [{\"bridge\": \"b\", \"id\": "
		  "\"0123456789abcdef\"}]}",
		  "nets 0: id: longer than 15 characters" },
		{ "{\"name\": \"x\", \"kernel\": \"/k\", \"uuid\": \"1\"}",
		  "uuid: \"1\" is none" },
		{ "{\"name\": \"x\", \"kernel\": \"/k\", \"nets\": "
		  "[{\"bridge\": \"b\", \"id\": \"../x\"}]}",
		  "id: \"../x\" is no name for a device" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *json = json_loads(texts[i].text, 0, NULL);
		struct vm_config config;
		char *error = NULL;

		vm_config_init(&config);
		assert_int_not_equal(vm_config_from_json(&config, json, &error),
				     0);
		assert_string_equal(error, texts[i].error);
		free(error);
		json_decref(json);
		vm_config_uninit(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
