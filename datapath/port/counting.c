/* A port that has counters and nothing else (counting.h). */
#include "port/counting.h"

#include <stdlib.h>

#include "packet/packet.h"

static void counting_close(struct port *port)
{
	port_fini(port);
	free(port);
}

static const struct port_class counting_class = {
	.type = "bond",
	.any_threads = true,
	.close = counting_close,
};

struct port *port_counting_open(const char *name, unsigned n_threads)
{
	const struct port_config config = {
		.name = name,
		.n_threads = n_threads,
		.mtu_request = PACKET_LEN_MAX,
	};
	struct port *port = xcalloc(1, sizeof(*port));

	port_init(port, &counting_class, &config);
	/* port_send() goes no further than this. */
	port->tx_enabled = false;
	return port;
}
