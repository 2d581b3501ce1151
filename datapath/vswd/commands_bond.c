/* bond/...: which member is active, which may be used, who has which bucket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/commands_bond.h"

#define VLAN_MAX 4095

/* --- finding them ----------------------------------------------------------
 */

static int compare_bonds(const void *a_, const void *b_)
{
	const struct vbond *a = *(struct vbond *const *)a_;
	const struct vbond *b = *(struct vbond *const *)b_;

	return strcmp(a->config->name, b->config->name);
}

struct vbond **command_sorted_bonds(const struct vswitch *vs, size_t *n)
{
	struct vbond **list = NULL;

	*n = 0;
	for (const struct bridge *b = vs->bridges; b; b = b->next) {
		for (struct vbond *vb = b->bonds; vb; vb = vb->next) {
			list = xrealloc(list, (*n + 1) * sizeof(vb));
			list[(*n)++] = vb;
		}
	}
	if (!list)
		return xcalloc(1, sizeof(*list));
	qsort(list, *n, sizeof(*list), compare_bonds);
	return list;
}

/* Open vSwitch's words; behind them what the name is, if it is anything. */
static void no_such(struct control_request *request, const struct vswitch *vs,
		    const char *what, const char *name)
{
	const struct vport *v = vswitch_find_vport(vs, name);

	if (vswitch_find_bond(vs, name))
		command_fail(request, "%s: %s is a bond without LACP", what,
			     name);
	else if (v && v->bond)
		command_fail(request, "%s: %s is a member of bond %s", what,
			     name, v->config->name);
	else if (v)
		command_fail(request, "%s: %s is a port of one interface", what,
			     name);
	else
		command_fail(request, "%s: %s", what, name);
}

void command_no_such_lacp(struct control_request *request,
			  const struct vswitch *vs, const char *name)
{
	no_such(request, vs, "no such lacp object", name);
}

struct vbond **command_bonds(struct control_request *request,
			     struct vswitch *vs, int argc,
			     const char *const argv[], const char *what,
			     size_t *n)
{
	struct vbond *vb, **list;

	if (argc == 1)
		return command_sorted_bonds(vs, n);
	vb = vswitch_find_bond(vs, argv[1]);
	if (!vb) {
		no_such(request, vs, what, argv[1]);
		return NULL;
	}
	list = xcalloc(1, sizeof(*list));
	list[0] = vb;
	*n = 1;
	return list;
}

static struct vbond *find_bond(struct control_request *request,
			       struct vswitch *vs, const char *name)
{
	struct vbond *vb = vswitch_find_bond(vs, name);

	if (!vb)
		no_such(request, vs, "no such bond", name);
	return vb;
}

static struct bond_member *find_member(struct control_request *request,
				       const struct vbond *vb, const char *name)
{
	struct bond_member *m = bond_find_member(vb->bond, name);

	if (!m)
		command_fail(request, "no such member: bond %s has no %s",
			     vb->config->name, name);
	return m;
}

/* --- by hand ---------------------------------------------------------------
 */

/* The workers go by it when the reply is there. */
static void take_effect(struct vbond *vb)
{
	vbond_arm(vb);
	if (vb->vs->changed)
		vswitch_commit(vb->vs);
}

/* A member that is not enabled, behind Open vSwitch's words. */
static void fail_disabled(struct control_request *request, const char *what,
			  const struct bond_member *member)
{
	struct bond_member_status m;

	bond_get_member_status(member, vswitch_now_ms(), &m);
	command_fail(request, "%s: %s%s%s%s", what, m.name,
		     m.why_not ? " (" : "", m.why_not ? m.why_not : "",
		     m.why_not ? ")" : "");
}

static void set_active(struct control_request *request, int argc,
		       const char *const argv[], void *aux)
{
	struct vbond *vb = find_bond(request, aux, argv[1]);
	struct bond_member *m = vb ? find_member(request, vb, argv[2]) : NULL;
	struct bond_status status;
	int error;

	if (!m)
		return;
	bond_get_status(vb->bond, vswitch_now_ms(), &status);
	if (status.active == m) {
		control_reply(request, "no change\n");
		return;
	}
	error = bond_set_active(vb->bond, m, vswitch_now_ms());
	take_effect(vb);
	if (error == -EINVAL)
		fail_disabled(request, "cannot make disabled member active", m);
	else if (error)
		command_fail(request, "cannot make %s active: %s", argv[2],
			     strerror(-error));
	else
		control_reply(request, "done\n");
}

static void enable(struct control_request *request, struct vswitch *vs,
		   const char *const argv[], bool on)
{
	struct vbond *vb = find_bond(request, vs, argv[1]);
	struct bond_member *m = vb ? find_member(request, vb, argv[2]) : NULL;

	if (!m)
		return;
	bond_member_enable(m, on, vswitch_now_ms());
	take_effect(vb);
	control_reply(request, on ? "enabled\n" : "disabled\n");
}

static void enable_member(struct control_request *request, int argc,
			  const char *const argv[], void *aux)
{
	enable(request, aux, argv, true);
}

static void disable_member(struct control_request *request, int argc,
			   const char *const argv[], void *aux)
{
	enable(request, aux, argv, false);
}

static bool parse_number(const char *text, unsigned long max, uint32_t *number)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n > max)
		return false;
	*number = n;
	return true;
}

static bool is_enabled(const struct bond_member *member)
{
	struct bond_member_status m;

	bond_get_member_status(member, vswitch_now_ms(), &m);
	return m.enabled;
}

static void migrate(struct control_request *request, int argc,
		    const char *const argv[], void *aux)
{
	struct vbond *vb = find_bond(request, aux, argv[1]);
	struct bond_member *m;
	struct bond_status status;
	uint32_t bucket;
	int error;

	if (!vb)
		return;
	bond_get_status(vb->bond, vswitch_now_ms(), &status);
	if (status.policy == BOND_ACTIVE_BACKUP) {
		command_fail(request, "not an SLB bond: %s is active-backup",
			     argv[1]);
		return;
	}
	if (!parse_number(argv[2], BOND_BUCKETS - 1, &bucket)) {
		command_fail(request,
			     "bad hash: %s; it is a number from 0 to %d",
			     argv[2], BOND_BUCKETS - 1);
		return;
	}
	m = find_member(request, vb, argv[3]);
	if (!m)
		return;
	error = bond_migrate(vb->bond, bucket, m, vswitch_now_ms());
	take_effect(vb);
	if (!error)
		control_reply(request, "migrated\n");
	else if (error == -EOPNOTSUPP)
		command_fail(request, "not an SLB bond: %s", argv[1]);
	else if (is_enabled(m))
		command_fail(request,
			     "cannot migrate to %s: it carries nothing as long "
			     "as members before it can",
			     argv[3]);
	else
		fail_disabled(request, "cannot migrate to disabled member", m);
}

/* --- bond/hash -------------------------------------------------------------
 */

static void hash(struct control_request *request, int argc,
		 const char *const argv[], void *aux)
{
	uint32_t vlan = 0, basis = 0;
	char text[16];
	uint64_t mac;

	if (argc > 2 && !parse_number(argv[2], VLAN_MAX, &vlan)) {
		command_fail(request,
			     "invalid vlan: %s; it is a number from 0 to %d",
			     argv[2], VLAN_MAX);
		return;
	}
	if (argc > 3 && !parse_number(argv[3], UINT32_MAX, &basis)) {
		command_fail(request,
			     "invalid basis: %s; it is a number from 0 to %u",
			     argv[3], UINT32_MAX);
		return;
	}
	if (!mac_from_string(argv[1], &mac)) {
		command_fail(request,
			     "invalid mac: %s; an address is such as "
			     "02:00:00:00:00:01",
			     argv[1]);
		return;
	}
	snprintf(text, sizeof(text), "%u\n", bond_hash_slb(mac, vlan, basis));
	control_reply(request, text);
}

void commands_register_bond(struct control_server *server, struct vswitch *vs)
{
	static const struct {
		const char *name, *usage;
		int min_args, max_args;
		control_command *run;
	} commands[] = {
		{ "bond/list", "", 0, 0, command_bond_list },
		{ "bond/show", "[port]", 0, 1, command_bond_show },
		{ "bond/migrate", "port hash member", 3, 3, migrate },
		{ "bond/set-active-member", "port member", 2, 2, set_active },
		{ "bond/set-active-slave", "port member", 2, 2, set_active },
		{ "bond/enable-member", "port member", 2, 2, enable_member },
		{ "bond/enable-slave", "port member", 2, 2, enable_member },
		{ "bond/disable-member", "port member", 2, 2, disable_member },
		{ "bond/disable-slave", "port member", 2, 2, disable_member },
		{ "bond/hash", "mac [vlan] [basis]", 1, 3, hash },
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		control_register(server, commands[i].name, commands[i].usage,
				 commands[i].min_args, commands[i].max_args,
				 commands[i].run, vs);
}
