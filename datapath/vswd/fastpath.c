#include "vswd/fastpath.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "forward/bypass.h"

LOG_MODULE(fastpath);

struct vfastpath {
	struct fastpath *fp; /* NULL: it is not to be had */
	char *why;	     /* then: why not */
	bool wanted;	     /* by the configuration */
	bool switched;	     /* ports and FDBs are otherwise yet */
	bool settled;	     /* the first one is carried out */
	int error;	     /* of the last publication */
	uint64_t indexes[FP_BRIDGES / 64]; /* bit a bridge's that is in use */
};

/* --- whether ---------------------------------------------------------------
 */

struct vfastpath *vfastpath_create(const char *run_dir)
{
	struct vfastpath *fast = xcalloc(1, sizeof(*fast));

	fast->fp = fastpath_create(run_dir, &fast->why);
	if (!fast->fp)
		log_info("no fast path in the kernel, all frames come to "
			 "userspace: %s",
			 fast->why);
	return fast;
}

void vfastpath_destroy(struct vfastpath *fast)
{
	if (!fast)
		return;
	fastpath_destroy(fast->fp);
	free(fast->why);
	free(fast);
}

struct fastpath *vfastpath_get(const struct vswitch *vs)
{
	return vs->fastpath && vs->fastpath->wanted ? vs->fastpath->fp : NULL;
}

/* But for what went wrong. */
static const char *why_not_wanted(const struct vfastpath *fast)
{
	if (!fast)
		return "this switch has none";
	if (!fast->fp)
		return fast->why;
	if (!fast->wanted)
		return "other_config:kernel-fast-path is false";
	return NULL;
}

const char *vfastpath_why_off(const struct vswitch *vs)
{
	const char *why = why_not_wanted(vs->fastpath);

	if (!why && vs->fastpath->error)
		why = "the kernel refused what it was told last, which the log "
		      "says more of";
	return why;
}

void vfastpath_keep(struct vswitch *vs)
{
	if (!vs->fastpath || !vs->fastpath->fp)
		return;
	fastpath_keep(vs->fastpath->fp);
	log_info("the kernel goes on forwarding between stations that it "
		 "knows, until the next vswd takes over");
}

bool vfastpath_is_kept(const struct vswitch *vs)
{
	return vs->fastpath && vs->fastpath->fp &&
	       fastpath_is_kept(vs->fastpath->fp);
}

/* --- what people are told ---------------------------------------------------
 */

/* Whatever its kind had to say of the device comes first. */
static const char *why_not(const struct vport *v, const char *noted)
{
	const char *off = vfastpath_why_off(v->vs);

	if (off)
		return off;
	return noted && !v->port->fastpath && v->port->no_fastpath
		       ? v->port->no_fastpath
		       : noted;
}

const char *vfastpath_why_not_in(const struct vport *v)
{
	return why_not(v, v->off_fast_in);
}

const char *vfastpath_why_not_out(const struct vport *v)
{
	return why_not(v, v->off_fast_out);
}

char *vfastpath_text(const struct vport *v)
{
	const char *in, *out;

	if (!v->vs->fastpath || !v->port)
		return NULL;
	in = vfastpath_why_not_in(v);
	out = vfastpath_why_not_out(v);
	if (!in && !out)
		return xstrdup("yes");
	if (!out)
		return xasprintf("what leaves; not what comes in: %s", in);
	if (!in)
		return xasprintf("what comes in; not what leaves: %s", out);
	if (!strcmp(in, out))
		return xasprintf("no: %s", in);
	return xasprintf("no: %s; %s", in, out);
}

void vfastpath_counters(const struct vport *v, struct fp_counters *counters)
{
	memset(counters, 0, sizeof(*counters));
	if (v->port && v->port->fastpath)
		fastpath_port_counters(v->port->fastpath, counters);
}

/* --- following the configuration -------------------------------------------
 */

static void mark_all_dirty(struct vswitch *vs)
{
	struct hmap_node *node;

	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node))
		vport_mark_dirty(vs, CONTAINER_OF(node, struct vport, node));
}

void vfastpath_configure(struct vswitch *vs, const struct cfg_switch *config)
{
	struct vfastpath *fast = vs->fastpath;

	if (!fast)
		return;
	/* Taps that were left would be in the way of those that are made. */
	if (fast->fp && !config->kernel_fast_path && !fast->settled)
		fastpath_drop_leftovers(fast->fp);
	if (fast->wanted == config->kernel_fast_path)
		return;
	fast->wanted = config->kernel_fast_path;
	fast->switched = fast->fp;
	vs->changed = true;
	mark_all_dirty(vs);
	if (fast->fp)
		log_info("the kernel's fast path is %s",
			 fast->wanted ? "on" : "off");
}

/* Of what a kind makes of its device, that is the kind's own business. */
static void follow_port(struct vswitch *vs, struct vport *v)
{
	if (!v->port || (!v->status.ifindex && !vport_is_elsewhere(v)))
		return;
	if (vfastpath_get(vs) ? !v->port->fastpath && !v->port->no_fastpath
			      : v->port->fastpath || v->port->no_fastpath)
		vport_reconfigure(vs, v);
}

void vfastpath_follow(struct vswitch *vs)
{
	struct fastpath *fp = vfastpath_get(vs);
	struct hmap_node *node;

	if (!vs->fastpath || !vs->fastpath->switched)
		return;
	vs->fastpath->switched = false;
	for (struct bridge *b = vs->bridges; b; b = b->next)
		bridge_place_fdb(vs, b, fp);
	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node))
		follow_port(vs, CONTAINER_OF(node, struct vport, node));
}

unsigned vfastpath_take_index(struct vswitch *vs)
{
	for (unsigned i = 0; vs->fastpath && i < FP_BRIDGES / 64; i++) {
		uint64_t *bits = &vs->fastpath->indexes[i];
		unsigned bit;

		if (*bits == UINT64_MAX)
			continue;
		bit = __builtin_ctzll(~*bits);
		*bits |= 1ull << bit;
		return i * 64 + bit;
	}
	return VFASTPATH_NO_INDEX;
}

void vfastpath_free_index(struct vswitch *vs, unsigned index)
{
	if (vs->fastpath && index < FP_BRIDGES)
		vs->fastpath->indexes[index / 64] &= ~(1ull << index % 64);
}

/* --- publishing ------------------------------------------------------------
 */

/* What was heard where, before we were there. */
struct place {
	int ifindex;
	struct bridge *bridge;
	const struct fp_port *port;
	uint16_t number;
};

struct publication {
	struct fastpath_bridge *bridges;
	unsigned n_bridges;
	struct place *places;
	size_t n_places;
};

static const char *why_no_bridge(const struct bridge *b)
{
	const char *why = why_not_wanted(b->vs->fastpath);

	if (why)
		return why;
	if (b->fast_index == VFASTPATH_NO_INDEX)
		return "there are more bridges than it has room for";
	if (!fdb_fastpath_table(b->fdb))
		return "the kernel has no room for the bridge's MAC table";
	return NULL;
}

static struct fwd_bypass look_at(const struct vport *v, struct fp_port *fp)
{
	const char *why = v->number > FP_NUMBER_MAX
				  ? "the bridge has too many ports before it"
				  : why_no_bridge(v->bridge);

	if (!why)
		return fwd_port_bypass(v->fwd, fp);
	memset(fp, 0, sizeof(*fp));
	return (struct fwd_bypass){ why, why };
}

static void note(struct vport *v, struct fwd_bypass why_not)
{
	if (v->off_fast_in == why_not.in && v->off_fast_out == why_not.out)
		return;
	v->off_fast_in = why_not.in;
	v->off_fast_out = why_not.out;
	vport_mark_dirty(v->vs, v);
}

static void add_place(struct publication *p, const struct vport *v,
		      const struct fp_port *port)
{
	if (!(p->n_places & (p->n_places - 1)))
		p->places = xrealloc(p->places,
				     (p->n_places ? 2 * p->n_places : 1) *
					     sizeof(*p->places));
	p->places[p->n_places++] = (struct place){
		.ifindex = (int)port->ifindex,
		.bridge = v->bridge,
		.port = port,
		.number = v->number,
	};
}

/* ports and handles have room for its number. */
static void add_port(struct publication *p, struct vport *v,
		     struct fp_port *ports, struct fastpath_port **handles)
{
	struct fastpath_port *handle = v->port->fastpath;
	struct fp_port fp;

	note(v, look_at(v, &fp));
	if (!fp.flags)
		return;
	fp.ifindex = fastpath_port_ifindex(handle);
	fp.slot = fastpath_port_slot(handle);
	if (fastpath_port_side(handle) == FASTPATH_HOST)
		fp.flags |= FP_TO_HOST;
	ports[v->number] = fp;
	handles[v->number] = handle;
	add_place(p, v, &ports[v->number]);
}

static unsigned count_numbers(const struct bridge *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->n_vports; i++) {
		const struct vport *v = b->vports[i];

		if (v->port && v->port->fastpath && v->number <= FP_NUMBER_MAX)
			n = MAX(n, v->number + 1u);
	}
	return n;
}

static void add_bridge(struct publication *p, struct bridge *b)
{
	unsigned n = count_numbers(b);
	struct fp_port *ports = xcalloc(MAX(n, 1u), sizeof(*ports));
	struct fastpath_port **handles =
		xcalloc(MAX(n, 1u), sizeof(struct fastpath_port *));
	size_t n_places = p->n_places;

	for (size_t i = 0; i < b->n_vports; i++)
		if (b->vports[i]->port && b->vports[i]->fwd)
			add_port(p, b->vports[i], ports, handles);
	if (p->n_places == n_places) {
		free(ports);
		free(handles);
		return;
	}
	p->bridges[p->n_bridges++] = (struct fastpath_bridge){
		.index = b->fast_index,
		.table = fdb_fastpath_table(b->fdb),
		.ports = ports,
		.n_ports = n,
		.handles = handles,
	};
}

static int compare_places(const void *a_, const void *b_)
{
	const struct place *a = a_, *b = b_;

	return (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
}

/* As its station would be, if it was heard there just now. */
static void learn_heard(const struct fastpath_heard *heard, void *aux)
{
	const struct place wanted = { .ifindex = heard->ifindex };
	const struct publication *p = aux;
	const struct place *place;
	unsigned fid = heard->fid % FP_VLANS;

	place = p->n_places ? bsearch(&wanted, p->places, p->n_places,
				      sizeof(wanted), compare_places)
			    : NULL;
	if (place && place->port->flags & FP_IN &&
	    place->port->vlans[fid / 64] >> fid % 64 & 1)
		fdb_learn_unmoved(place->bridge->fdb,
				  fdb_make_key(heard->mac, fid), place->number);
}

static void take_heard(const struct vfastpath *fast, struct publication *p)
{
	if (p->n_places)
		qsort(p->places, p->n_places, sizeof(*p->places),
		      compare_places);
	fastpath_for_each_heard(fast->fp, learn_heard, p);
}

static void note_error(struct vswitch *vs, int error)
{
	struct vfastpath *fast = vs->fastpath;

	if (error == fast->error)
		return;
	if (error)
		log_warn("the kernel's fast path cannot follow the "
			 "configuration, all frames come to userspace: %s",
			 strerror(-error));
	else
		log_info("the kernel's fast path works again");
	fast->error = error;
	mark_all_dirty(vs);
}

static void publication_free(struct publication *p)
{
	for (unsigned i = 0; i < p->n_bridges; i++) {
		free((struct fp_port *)p->bridges[i].ports);
		free((struct fastpath_port **)p->bridges[i].handles);
	}
	free(p->bridges);
	free(p->places);
}

static unsigned count_bridges(const struct vswitch *vs)
{
	unsigned n = 0;

	for (const struct bridge *b = vs->bridges; b; b = b->next)
		n++;
	return n;
}

void vfastpath_publish(struct vswitch *vs)
{
	struct vfastpath *fast = vs->fastpath;
	struct publication p = { 0 };

	if (!fast || vfastpath_is_kept(vs))
		return;
	p.bridges = xcalloc(MAX(count_bridges(vs), 1u), sizeof(*p.bridges));
	for (struct bridge *b = vs->bridges; b; b = b->next)
		add_bridge(&p, b);
	if (fast->fp) {
		if (!fast->settled)
			take_heard(fast, &p);
		note_error(vs,
			   fastpath_publish(fast->fp, p.bridges, p.n_bridges));
	}
	publication_free(&p);
}

void vfastpath_configured(struct vswitch *vs)
{
	struct vfastpath *fast = vs->fastpath;

	if (!fast || fast->settled || vfastpath_is_kept(vs))
		return;
	fast->settled = true;
	if (fast->fp)
		fastpath_drop_leftovers(fast->fp);
}
