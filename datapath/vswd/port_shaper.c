#include "vswd/port_shaper.h"

#include <stdlib.h>
#include <string.h>

#include "forward/policies.h"

struct port_shaper {
	struct shaper *shaper; /* NULL: not shaped now */
	struct shaper_config config;
	struct shaper *former; /* the snapshot before may have it */
};

static void end_former(struct port_shaper *ps, struct port *port)
{
	unsigned n = shaper_destroy(ps->former);

	/* What was put while its home let go of it. */
	if (port && n)
		port_drop(port, 0, DROP_SHAPER_GONE, n);
	ps->former = NULL;
}

static void configure(struct port_shaper *ps, const struct shaper_config *c)
{
	if (ps->shaper && !memcmp(&ps->config, c, sizeof(*c)))
		return;
	if (ps->shaper && !shaper_configure(ps->shaper, c)) {
		ps->former = ps->shaper;
		ps->shaper = NULL;
	}
	if (!ps->shaper)
		ps->shaper = shaper_create(c);
	memcpy(&ps->config, c, sizeof(*c));
}

void port_shaper_attach(struct fwd_port *port, const struct cfg_qos *qos,
			struct port_shaper **shaper)
{
	struct port_shaper *ps = *shaper;

	if (!ps && !qos)
		return;
	if (!ps)
		ps = *shaper = xcalloc(1, sizeof(*ps));
	end_former(ps, port->port);
	if (qos) {
		configure(ps, &qos->shaper);
		fwd_port_egress(port)->shaper = ps->shaper;
	} else {
		ps->former = ps->shaper;
		ps->shaper = NULL;
	}
}

void port_shaper_free(struct port_shaper *ps)
{
	if (!ps)
		return;
	end_former(ps, NULL);
	shaper_destroy(ps->shaper);
	free(ps);
}

const struct shaper *port_shaper_get(const struct port_shaper *ps)
{
	return ps ? ps->shaper : NULL;
}

const struct shaper_config *port_shaper_config(const struct port_shaper *ps)
{
	return &ps->config;
}
