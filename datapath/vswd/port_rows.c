/* Ports and bonds in the order in which they are listed (port_rows.h). */
#include "vswd/port_rows.h"

#include <stdlib.h>
#include <string.h>

/* Rows under construction; list has all open ports in their order. */
struct rows {
	struct port_row *rows;
	size_t n;
	struct vport **list;
	size_t n_list;
};

static void add(struct rows *r, struct vbond *vb, struct vport *v)
{
	r->rows = xrealloc(r->rows, (r->n + 1) * sizeof(*r->rows));
	r->rows[r->n++] = (struct port_row){ vb, v };
}

static void add_bond(struct rows *r, struct vbond *vb)
{
	add(r, vb, NULL);
	for (size_t i = 0; i < r->n_list; i++)
		if (r->list[i]->bond == vb)
			add(r, vb, r->list[i]);
}

static bool has_bond(const struct rows *r, const struct vbond *vb)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->rows[i].bond == vb)
			return true;
	return false;
}

static void add_all(struct rows *r, const struct bridge *b)
{
	for (size_t i = 0; i < r->n_list; i++) {
		struct vport *v = r->list[i];

		if (v->bridge != b)
			continue;
		if (!v->bond)
			add(r, NULL, v);
		else if (!has_bond(r, v->bond))
			add_bond(r, v->bond);
	}
	/* None of its members is open. */
	for (struct vbond *vb = b->bonds; vb; vb = vb->next)
		if (!has_bond(r, vb))
			add_bond(r, vb);
}

struct port_row *port_rows(const struct vswitch *vs,
			   const struct bridge *bridge, size_t *n)
{
	struct rows r = { 0 };

	r.list = command_sorted_vports(vs, bridge, &r.n_list);
	for (const struct bridge *b = vs->bridges; b; b = b->next)
		if (!bridge || b == bridge)
			add_all(&r, b);
	free(r.list);
	*n = r.n;
	return r.rows ? r.rows : xcalloc(1, sizeof(*r.rows));
}

/* False after the reply. */
static bool add_named(struct control_request *request, struct vswitch *vs,
		      struct rows *r, const char *name)
{
	struct vport *v = vswitch_find_vport(vs, name);
	struct vbond *vb = vswitch_find_bond(vs, name);

	if (v && v->port)
		add(r, v->bond, v);
	else if (!v && vb)
		add_bond(r, vb);
	else
		command_fail(request, "%s: %s", name,
			     v ? v->error ? v->error : "not open"
			       : "no such port");
	return (v && v->port) || (!v && vb);
}

struct port_row *port_rows_named(struct control_request *request,
				 struct vswitch *vs, int argc,
				 const char *const argv[], size_t *n)
{
	struct rows r = { 0 };
	bool ok = true;

	if (argc == 1)
		return port_rows(vs, NULL, n);
	r.list = command_sorted_vports(vs, NULL, &r.n_list);
	for (int i = 1; ok && i < argc; i++)
		ok = add_named(request, vs, &r, argv[i]);
	free(r.list);
	if (!ok) {
		free(r.rows);
		return NULL;
	}
	*n = r.n;
	return r.rows;
}

const char *port_row_name(const struct port_row *row)
{
	return row->vport ? row->vport->interface->name
			  : row->bond->config->name;
}

const struct bridge *port_row_bridge(const struct port_row *row)
{
	return row->vport ? row->vport->bridge : row->bond->bridge;
}

struct port *port_row_port(const struct port_row *row)
{
	return row->vport ? row->vport->port : row->bond->port;
}
