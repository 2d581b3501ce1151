/*
 * What ports of all kinds share: the table of kinds, opening and closing, and
 * the counters, which every thread has for itself and which are summed here.
 */
#include "port/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "port/classes.h"

static const struct port_class *const classes[] = {
#define X(KIND) &port_class_##KIND,
	PORT_CLASSES(X)
#undef X
};

const struct port_class *port_class_find(const char *type)
{
	/* Open vSwitch's other word for a device of the host. */
	if (!strcmp(type, "system"))
		type = "";
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (!strcmp(classes[i]->type, type))
			return classes[i];
	return NULL;
}

bool port_type_is_made_up(const char *type)
{
	const struct port_class *class = port_class_find(type);

	return class && class->made_up;
}

/* The types as a message lists them: "a", "b", "c". */
static void list_types(char *to, size_t size)
{
	size_t used = 0;

	to[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(classes) && used < size; i++)
		if (!classes[i]->made_up)
			used += snprintf(to + used, size - used, "%s\"%s\"",
					 i ? ", " : "",
					 classes[i]->type[0] ? classes[i]->type
							     : "system");
}

int port_open(const struct port_config *config, struct port **portp,
	      char **errp)
{
	const struct port_class *class = port_class_find(config->type);
	char types[256];

	if (class)
		return class->open(config, portp, errp);
	if (!strcmp(config->type, "dpdk"))
		return set_error(errp, -EINVAL,
				 "%s: this vswd was built without DPDK; build "
				 "it with: make DPDK=1",
				 config->name);
	list_types(types, sizeof(types));
	return set_error(errp, -EINVAL,
			 "%s: interface type \"%s\" is not known; "
			 "types are %s",
			 config->name, config->type, types);
}

void port_close(struct port *port)
{
	if (port)
		port->class->close(port);
}

void port_init(struct port *port, const struct port_class *class,
	       const struct port_config *config)
{
	static uint64_t last_serial; /* the control thread's */

	memset(port, 0, sizeof(*port));
	port->class = class;
	port->serial = ++last_serial;
	port->name = xstrdup(config->name);
	port->mtu =
		config->mtu_request ? config->mtu_request : PORT_MTU_DEFAULT;
	port->tx_enabled = true;
	port_set_threads(port, MAX(config->n_threads, 1u));
}

void port_set_threads(struct port *port, unsigned n)
{
	n = MIN(n, PORT_THREADS_MAX);
	while (port->n_threads < n)
		port->counters[port->n_threads++] =
			xcalloc_aligned(1, sizeof(struct port_counters));
}

void port_fini(struct port *port)
{
	for (unsigned i = 0; i < port->n_threads; i++) {
		free(port->counters[i]);
		port->counters[i] = NULL;
	}
	free(port->no_fastpath);
	port->no_fastpath = NULL;
	free(port->name);
	port->name = NULL;
}

const char *port_config_option(const struct port_config *config,
			       const char *key)
{
	for (size_t i = 0; i < config->n_options; i++)
		if (!strcmp(config->options[i].key, key))
			return config->options[i].value;
	return NULL;
}

const char *port_config_setting(const struct port_config *config,
				const char *key)
{
	for (size_t i = 0; i < config->n_settings; i++)
		if (!strcmp(config->settings[i].key, key))
			return config->settings[i].value;
	return NULL;
}

void port_get_status(struct port *port, struct port_status *status)
{
	memset(status, 0, sizeof(*status));
	status->mtu = port->mtu;
	if (port->class->status) {
		port->class->status(port, status);
		return;
	}
	status->present = true;
	status->admin_up = true;
	status->link_up = true;
}

/* struct port_counters is nothing but counters: it is summed as an array. */
#define N_COUNTERS (offsetof(struct port_counters, drops) / sizeof(uint64_t))

_Static_assert(sizeof(_Atomic uint64_t) == sizeof(uint64_t), "plain words");

void port_counters_add(struct port_counters *total,
		       const struct port_counters *c)
{
	const _Atomic uint64_t *from = &c->rx_packets;
	_Atomic uint64_t *to = &total->rx_packets;

	for (size_t i = 0; i < N_COUNTERS + N_DROP_REASONS; i++)
		counter_add(&to[i], atomic_load_explicit(&from[i],
							 memory_order_relaxed));
}

void port_get_counters(struct port *port, struct port_counters *total)
{
	memset(total, 0, sizeof(*total));
	for (unsigned i = 0; i < port->n_threads; i++)
		port_counters_add(total, port->counters[i]);
	if (port->class->device_counters)
		port->class->device_counters(port, total);
}
