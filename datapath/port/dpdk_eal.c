/* Starting DPDK, and attaching devices (dpdk_eal.h). */
#include "port/dpdk_eal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_version.h>

#include "base/log.h"
#include "base/util.h"

LOG_MODULE(dpdk);

#define ARGUMENTS_MAX 64

static bool taken[RTE_MAX_ETHPORTS];

/* "words of text" behind what argv has; the copy is DPDK's for good. */
static int add_words(char *argv[], int argc, const char *text)
{
	char *copy = xstrdup(text), *at, *word;

	for (word = strtok_r(copy, " \t\n", &at); word && argc < ARGUMENTS_MAX;
	     word = strtok_r(NULL, " \t\n", &at))
		argv[argc++] = word;
	return argc;
}

static int add_option(char *argv[], int argc, const char *name,
		      const char *value)
{
	if (!value || argc + 2 > ARGUMENTS_MAX)
		return argc;
	argv[argc++] = xstrdup(name);
	argv[argc++] = xstrdup(value);
	return argc;
}

/*
 * An address that no device has: allowing it alone keeps DPDK from taking every
 * card that it has a driver for. Nothing is left in the file system, also when
 * vswd is killed.
 */
static int fill_arguments(const struct port_config *config, char *argv[])
{
	const char *extra = port_config_setting(config, "dpdk-extra");
	const char *memory = port_config_setting(config, "dpdk-socket-mem");
	const char *dir = port_config_setting(config, "dpdk-hugepage-dir");
	int argc = add_words(argv, 0, "vswd -a 0000:00:00.0 --no-telemetry");

	if (dir)
		argc = add_words(argv, argc, "--no-shconf --huge-unlink");
	else if (extra && strstr(extra, "--no-huge"))
		argc = add_words(argv, argc, "--no-shconf");
	else
		argc = add_words(argv, argc, "--in-memory");
	argc = add_option(argv, argc, "--huge-dir", dir);
	argc = add_option(argv, argc, "--socket-mem", memory);
	return add_words(argv, argc, extra ? extra : "");
}

static int start(const struct port_config *config)
{
	char *argv[ARGUMENTS_MAX + 1];
	cpu_set_t cpus;
	int argc = fill_arguments(config, argv);

	argv[argc] = NULL;
	/* EAL binds the calling thread to a core; ours stays where it was. */
	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (rte_eal_init(argc, argv) < 0)
		return -rte_errno;
	sched_setaffinity(0, sizeof(cpus), &cpus);
	log_info("DPDK is started: %s", rte_version());
	return 0;
}

int dpdk_eal_start(const struct port_config *config, char **errp)
{
	static bool tried;
	static int error;

	if (!tried) {
		tried = true;
		error = start(config);
	}
	if (!error)
		return 0;
	return set_error(
		errp, error,
		"DPDK could not be started: %s; it needs huge pages "
		"(/proc/sys/vm/nr_hugepages) or --no-huge in "
		"other_config:dpdk-extra, and is tried again when vswd is started "
		"anew",
		rte_strerror(-error));
}

int dpdk_attach(const char *name, const char *devargs, uint16_t *id,
		char **errp)
{
	struct rte_dev_iterator iterator;
	uint16_t found = RTE_MAX_ETHPORTS, i;
	int error = rte_dev_probe(devargs);

	if (error && error != -EEXIST)
		return set_error(errp, -EINVAL,
				 "%s: DPDK does not take device %s: %s", name,
				 devargs, strerror(-error));
	RTE_ETH_FOREACH_MATCHING_DEV(i, devargs, &iterator)
	{
		found = i;
		rte_eth_iterator_cleanup(&iterator);
		break;
	}
	if (found == RTE_MAX_ETHPORTS)
		return set_error(errp, -EINVAL,
				 "%s: %s is no Ethernet device of DPDK's", name,
				 devargs);
	if (taken[found])
		return set_error(errp, -EBUSY,
				 "%s: DPDK device %s is another port's", name,
				 devargs);
	taken[found] = true;
	*id = found;
	return 0;
}

void dpdk_detach(uint16_t id)
{
	struct rte_eth_dev_info info;
	struct rte_device *device = NULL;
	int error;

	taken[id] = false;
	if (!rte_eth_dev_info_get(id, &info))
		device = info.device;
	rte_eth_dev_close(id);
	error = device ? rte_dev_remove(device) : 0;
	if (error)
		log_warn("device %u could not be detached: %s", id,
			 strerror(-error));
}

void dpdk_register_thread(void)
{
	static __thread bool registered;

	if (likely(registered))
		return;
	registered = true;
	if (rte_lcore_id() == LCORE_ID_ANY && rte_thread_register())
		log_warn("a thread has no cache of packet buffers: %s",
			 rte_strerror(rte_errno));
}
