/* Commands on a segment's port forwards and leases. */
#include <stdlib.h>
#include <string.h>

#include "ctl/cmd.h"
#include "ctl/forward_text.h"
#include "ctl/listing.h"
#include "ctl/segment_check.h"
#include "ctl/segment_rules.h"
#include "ctl/value.h"
#include "ctl/view.h"

/* --- forwards ------------------------------------------------------------- */

static void check_protocol(const struct ctl_command *cmd)
{
	const char *protocol = cmd->argv[2];

	if (strcmp(protocol, "tcp") && strcmp(protocol, "udp"))
		ctl_fatal("%s: ports of tcp or udp are forwarded, not of "
			  "\"%s\"",
			  cmd->argv[0], protocol);
}

/* The ends of the command line; the inside is argv[4]. */
static void parse_ends(struct ctl_command *cmd, struct forward_end *outside,
		       struct forward_end *inside)
{
	char *error = NULL;

	check_protocol(cmd);
	if (forward_outside_parse(outside, cmd->argv[3], &error))
		ctl_fatal_error(error);
	memset(inside, 0, sizeof(*inside));
	if (cmd->argc > 4 && forward_inside_parse(inside, cmd->argv[4], &error))
		ctl_fatal_error(error);
}

static long port_inside(const struct segment_forward *f)
{
	return f->inside_port ? f->inside_port : f->outside_lo;
}

/* Addresses that are written in different ways are the same. */
static bool same_address(const char *a, const char *b)
{
	struct net_addr x, y;

	if (!net_addr_parse(&x, a, 0) || !net_addr_parse(&y, b, 0))
		return !strcmp(a, b);
	return !net_addr_compare(&x, &y);
}

/* The same in all that the command line says; ports' ends must be the same. */
static bool matches(const struct ctl_command *cmd,
		    const struct segment_forward *f,
		    const struct forward_end *outside,
		    const struct forward_end *inside)
{
	const char *at = f->outside_address ? f->outside_address : "";

	return !strcmp(f->protocol, cmd->argv[2]) &&
	       f->outside_lo == outside->lo &&
	       (outside->hi == outside->lo || f->outside_hi == outside->hi) &&
	       (!outside->addr[0] || same_address(at, outside->addr)) &&
	       (!inside->addr[0] ||
		same_address(f->inside_address, inside->addr)) &&
	       (!inside->lo || port_inside(f) == inside->lo);
}

/* The next Forward of the segment, behind `row`; NULL at the end. */
static struct view_row *next_forward(struct view_row *segment,
				     struct view_row *row)
{
	const json_t *all = view_get(segment, "forwards");
	bool found = false;

	while (!found && (row = view_next(segment->view, "Forward", row))) {
		json_t *element = value_uuid(row->uuid);

		found = value_contains(all, element);
		json_decref(element);
	}
	return row;
}

/* --may-exist: the very same one is there. */
static bool is_there(struct ctl_command *cmd, struct view_row *segment,
		     const struct forward_end *outside,
		     const struct forward_end *inside)
{
	struct segment_forward f;
	struct view_row *row = NULL;

	while ((row = next_forward(segment, row))) {
		segment_read_forward(row, &f);
		if (matches(cmd, &f, outside, inside) &&
		    f.outside_hi == outside->hi &&
		    !f.outside_address == !outside->addr[0] &&
		    port_inside(&f) == (inside->lo ? inside->lo : outside->lo))
			return true;
	}
	return false;
}

static void add_forward(struct ctl_command *cmd)
{
	struct view_row *segment = segment_get(cmd->ctl, cmd->argv[1]), *row;
	struct forward_end outside, inside;

	parse_ends(cmd, &outside, &inside);
	if (ctl_has_option(cmd, "--may-exist") &&
	    is_there(cmd, segment, &outside, &inside))
		return;
	row = view_insert(cmd->ctl->view, "Forward");
	view_set_string(row, "protocol", cmd->argv[2]);
	if (outside.addr[0])
		view_set_string(row, "outside_address", outside.addr);
	view_set(row, "outside_port", json_integer(outside.lo));
	if (outside.hi > outside.lo)
		view_set(row, "outside_port_last", json_integer(outside.hi));
	view_set_string(row, "inside_address", inside.addr);
	if (inside.lo)
		view_set(row, "inside_port", json_integer(inside.lo));
	view_mutate_uuid(segment, "forwards", "insert", row->uuid);
}

static void __attribute__((noreturn)) no_forward(const struct ctl_command *cmd)
{
	ctl_fatal("segment %s does not forward %s %s (\"vsw-ctl "
		  "list-forwards %s\" lists what it forwards)",
		  cmd->argv[1], cmd->argv[2], cmd->argv[3], cmd->argv[1]);
}

static void del_forward(struct ctl_command *cmd)
{
	struct view_row *bridge, *row = NULL, *found = NULL;
	struct view_row *segment =
		segment_find(cmd->ctl, cmd->argv[1], &bridge);
	struct forward_end outside, inside;
	struct segment_forward f;

	parse_ends(cmd, &outside, &inside);
	if (!segment && ctl_has_option(cmd, "--if-exists"))
		return;
	segment = segment_get(cmd->ctl, cmd->argv[1]);
	while ((row = next_forward(segment, row))) {
		segment_read_forward(row, &f);
		if (!matches(cmd, &f, &outside, &inside))
			continue;
		if (found)
			ctl_fatal("segment %s has more than one forward of %s "
				  "%s; give the address, too: "
				  "ADDRESS:PORT, or INSIDE behind the port",
				  cmd->argv[1], cmd->argv[2], cmd->argv[3]);
		found = row;
	}
	if (!found && ctl_has_option(cmd, "--if-exists"))
		return;
	if (!found)
		no_forward(cmd);
	view_mutate_uuid(segment, "forwards", "delete", found->uuid);
	view_delete(found, false);
}

static int compare_forwards(const void *a, const void *b)
{
	struct segment_forward x, y;
	int order;

	segment_read_forward(*(struct view_row *const *)a, &x);
	segment_read_forward(*(struct view_row *const *)b, &y);
	order = strcmp(x.protocol, y.protocol);
	if (order)
		return order;
	if (x.outside_lo != y.outside_lo)
		return x.outside_lo < y.outside_lo ? -1 : 1;
	return strcmp(x.inside_address, y.inside_address);
}

struct view_row **segment_forwards(struct view_row *segment, size_t *n)
{
	json_t *all = view_get_set(segment, "forwards");
	struct view_row **list =
		xcalloc(json_array_size(all) + 1, sizeof(struct view_row *));
	struct view_row *row = NULL;

	*n = 0;
	while ((row = next_forward(segment, row)))
		list[(*n)++] = row;
	json_decref(all);
	if (*n)
		qsort(list, *n, sizeof(struct view_row *), compare_forwards);
	return list;
}

static json_t *take_text(char *text)
{
	json_t *value = json_string(text);

	free(text);
	return value;
}

static void list_forward(struct ctl_command *cmd, struct view_row *row)
{
	const char *error = view_get_string(row, "error");
	struct segment_forward f;
	long port;

	segment_read_forward(row, &f);
	port = port_inside(&f);
	listing_row(cmd);
	listing_cell(cmd, "protocol", json_string(f.protocol));
	listing_cell(cmd, "outside",
		     take_text(forward_end_text(
			     f.outside_address ? f.outside_address : "",
			     f.outside_lo, f.outside_hi)));
	listing_cell(cmd, "inside",
		     take_text(forward_end_text(f.inside_address, port,
						port + f.outside_hi -
							f.outside_lo)));
	listing_cell(cmd, "error", *error ? json_string(error) : NULL);
}

static void list_forwards(struct ctl_command *cmd)
{
	struct view_row *segment = segment_get(cmd->ctl, cmd->argv[1]), **list;
	size_t n;

	view_want(cmd->ctl->view, "Forward", json_array(),
		  (const char *const[]){ "error", NULL });
	listing_begin(cmd, (const char *const[]){ "protocol", "outside",
						  "inside", "error", NULL });
	list = segment_forwards(segment, &n);
	for (size_t i = 0; i < n; i++)
		list_forward(cmd, list[i]);
	free(list);
}

const struct ctl_command_class forward_commands[] = {
	{ "add-forward", "SEGMENT tcp|udp [ADDR:]PORT[-PORT] INSIDE[:PORT]", 4,
	  4, "--may-exist", "forward a port, or a range, to a machine",
	  segment_want, add_forward, NULL },
	{ "del-forward", "SEGMENT tcp|udp [ADDR:]PORT [INSIDE]", 3, 4,
	  "--if-exists", "forward a port no more", segment_want, del_forward,
	  NULL },
	{ "list-forwards", "SEGMENT", 1, 1, "", "print what is forwarded",
	  segment_want, list_forwards, NULL },
	{ "add-static-lease", "SEGMENT MAC IP [NAME]", 3, 4, "--may-exist",
	  "give a machine always the same address (and name)", segment_want,
	  add_static_lease, NULL },
	{ "del-static-lease", "SEGMENT MAC", 2, 2, "--if-exists",
	  "give it any address again", segment_want, del_static_lease, NULL },
	{ "list-leases", "[SEGMENT]", 0, 1, "",
	  "print who has which address by DHCP", want_leases, list_leases,
	  NULL },
};
const size_t n_forward_commands = ARRAY_SIZE(forward_commands);
