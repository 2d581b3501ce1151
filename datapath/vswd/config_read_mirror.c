/* Table Mirror. */
#include "vswd/config_mirror.h"

#include <stdlib.h>

#include "base/log.h"
#include "vswd/config_read.h"

LOG_MODULE(config);

#define SNAPLEN_MIN 14 /* an Ethernet header */
#define SNAPLEN_MAX 65535

static struct uuid *read_ports(const struct ovsdb_datum *datum, size_t *n)
{
	struct uuid *ports = xcalloc(datum->n, sizeof(*ports));

	for (unsigned i = 0; i < datum->n; i++)
		ports[i] = datum->keys[i].uuid;
	*n = datum->n;
	return ports;
}

/* A number in its limits, or 0. */
static uint16_t read_number(const struct cfg_mirror *m,
			    const struct db_columns *columns,
			    const struct ovsdb_client_row *row,
			    enum db_column column, const char *name,
			    int64_t min, int64_t max)
{
	int64_t n = db_get_integer(columns, row, column, 0);

	if (!n || (n >= min && n <= max))
		return n;
	log_warn("mirror %s: %s is %lld; it must be from %lld to %lld; it is "
		 "ignored",
		 m->name, name, (long long)n, (long long)min, (long long)max);
	return 0;
}

/* There must be one place that copies go to. */
static char *find_error(const struct cfg_mirror *m)
{
	if (m->has_output_port && m->output_vlan)
		return xasprintf("output_port and output_vlan=%u contradict "
				 "each other; clear one of them",
				 m->output_vlan);
	if (!m->has_output_port && !m->output_vlan)
		return xstrdup("it has neither output_port nor output_vlan; "
			       "set one of them");
	return NULL;
}

struct cfg_mirror *config_read_mirror(const struct db_columns *columns,
				      const struct ovsdb_client_row *row)
{
	const struct ovsdb_datum *output =
		db_get(columns, row, DB_MIRROR_OUTPUT_PORT);
	struct cfg_mirror *m = xcalloc(1, sizeof(*m));

	m->refs = 1;
	m->uuid = row->uuid;
	m->name = xstrdup(db_get_string(columns, row, DB_MIRROR_NAME, ""));
	m->select_all =
		db_get_boolean(columns, row, DB_MIRROR_SELECT_ALL, false);
	m->sources = read_ports(db_get(columns, row, DB_MIRROR_SELECT_SRC_PORT),
				&m->n_sources);
	m->destinations =
		read_ports(db_get(columns, row, DB_MIRROR_SELECT_DST_PORT),
			   &m->n_destinations);
	m->vlans = config_vlan_set(db_get(columns, row, DB_MIRROR_SELECT_VLAN));
	m->has_output_port = output->n;
	if (output->n)
		m->output_port = output->keys[0].uuid;
	m->output_vlan = read_number(m, columns, row, DB_MIRROR_OUTPUT_VLAN,
				     "output_vlan", 1, VLAN_N - 2);
	m->snaplen = read_number(m, columns, row, DB_MIRROR_SNAPLEN, "snaplen",
				 SNAPLEN_MIN, SNAPLEN_MAX);
	m->error = find_error(m);
	return m;
}

struct cfg_mirror *cfg_mirror_ref(const struct cfg_mirror *mirror)
{
	struct cfg_mirror *m = (struct cfg_mirror *)mirror;

	m->refs++;
	return m;
}

void cfg_mirror_unref(struct cfg_mirror *m)
{
	if (!m || --m->refs)
		return;
	free(m->name);
	free(m->sources);
	free(m->destinations);
	free(m->vlans);
	free(m->error);
	free(m);
}
