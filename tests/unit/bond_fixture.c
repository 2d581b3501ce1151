#include "bond_fixture.h"

#include "packet/beacon.h"

static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };

static struct noted *note(struct bond_fixture *f, const void *frame, size_t len)
{
	struct noted *n = &f->noted[f->n_noted];

	if (f->n_noted < NOTED_MAX - 1)
		f->n_noted++;
	n->at = f->now;
	n->len = len;
	assert_true(len <= sizeof(n->frame));
	memcpy(n->frame, frame, len);
	return n;
}

static unsigned index_of(const struct bond_fixture *f,
			 const struct bond_member *m)
{
	for (unsigned i = 0; i < bond_n_members(f->bond); i++) {
		if (bond_member_at(f->bond, i) == m)
			return i;
	}
	return BOND_NO_MEMBER;
}

static void send_cb(struct bond_member *m, const void *frame, size_t len,
		    void *arg)
{
	struct bond_fixture *f = arg;
	struct noted *n = note(f, frame, len);

	n->member = index_of(f, m);
}

static void announce_cb(const void *frame, size_t len, uint16_t vid, void *arg)
{
	struct noted *n = note(arg, frame, len);

	n->member = BOND_NO_MEMBER;
	n->vid = vid;
}

static void stations_cb(void (*cb)(void *cb_arg, uint64_t mac, uint16_t vid),
			void *cb_arg, void *arg)
{
	struct bond_fixture *f = arg;

	for (unsigned i = 0; i < f->n_stations; i++)
		cb(cb_arg, f->stations[i].mac, f->stations[i].vid);
}

static void changed_cb(void *arg)
{
	struct bond_fixture *f = arg;

	f->n_changed++;
	if (!f->no_tables)
		fixture_publish(f);
}

void fixture_publish(struct bond_fixture *f)
{
	free(f->table);
	f->table = bond_make_table(f->bond);
	bond_published(f->bond);
}

static const struct bond_ops ops = {
	.send = send_cb,
	.announce = announce_cb,
	.stations = stations_cb,
	.changed = changed_cb,
};

void bond_fixture_start(struct bond_fixture *f, unsigned n_members)
{
	memset(f, 0, sizeof(*f));
	f->now = 1000;
	f->noted = calloc(NOTED_MAX, sizeof(*f->noted));
	f->bond = bond_create("bond0", 2, &ops, f, f->now);
	f->config.lacp.system_id = 0x020000000001;
	f->config.lacp.key = 1;
	f->config.beacon_ms = 1000;
	f->config.rebalance_ms = 10000;
	f->config.members = f->members;
	f->config.n_members = n_members;
	for (unsigned i = 0; i < n_members; i++) {
		f->members[i].name = names[i];
		f->members[i].rank = BOND_RANK_UNNAMED;
		f->members[i].lacp.id = 1 + i;
		f->members[i].lacp.priority = 32768;
	}
}

void bond_fixture_stop(struct bond_fixture *f)
{
	bond_destroy(f->bond);
	free(f->table);
	free(f->noted);
}

void bond_fixture_configure(struct bond_fixture *f)
{
	char *error = bond_configure(f->bond, &f->config, f->now);

	if (error)
		fail_msg("%s", error);
}

struct bond_member *fixture_member(struct bond_fixture *f, unsigned i)
{
	return bond_find_member(f->bond, names[i]);
}

uint64_t fixture_mac(unsigned i)
{
	return 0x020000000a00 + i;
}

void fixture_link(struct bond_fixture *f, unsigned i, bool up)
{
	bond_member_set_link(fixture_member(f, i), up, fixture_mac(i),
			     10000000000, true, f->now);
}

void fixture_links_up(struct bond_fixture *f)
{
	for (unsigned i = 0; i < f->config.n_members; i++)
		fixture_link(f, i, true);
	fixture_pass(f, 10000);
	f->n_noted = 0;
}

static void hand_on_beacons(struct bond_fixture *f, unsigned from)
{
	for (unsigned k = from; f->hub && k < f->n_noted; k++) {
		struct noted n = f->noted[k];

		if (n.member == BOND_NO_MEMBER || f->mute >> n.member & 1 ||
		    load_be16(n.frame + 12) != BEACON_ETHERTYPE)
			continue;
		for (unsigned i = 0; i < bond_n_members(f->bond); i++) {
			if (i != n.member && !(f->deaf >> i & 1))
				bond_receive_beacon(bond_member_at(f->bond, i),
						    n.frame, n.len, f->now);
		}
	}
}

void fixture_pass(struct bond_fixture *f, uint64_t ms)
{
	uint64_t end = f->now + ms;
	unsigned runs = 0;

	for (;;) {
		uint64_t next = bond_next_ms(f->bond);
		unsigned from = f->n_noted;

		if (next > end)
			break;
		if (next > f->now) {
			f->now = next;
			runs = 0;
		}
		assert_true(runs++ < 10); /* it goes on */
		bond_run(f->bond, f->now);
		f->n_runs++;
		hand_on_beacons(f, from);
	}
	f->now = end;
}

void fixture_load(struct bond_fixture *f, unsigned bucket, uint64_t bytes)
{
	assert_non_null(f->table->loads);
	atomic_fetch_add(&f->table->loads[1]->bytes[bucket], bytes);
}

bool fixture_enabled(struct bond_fixture *f, unsigned i)
{
	struct bond_member_status s;

	bond_get_member_status(fixture_member(f, i), f->now, &s);
	assert_true(s.enabled == !s.why_not);
	return s.enabled;
}

unsigned fixture_filter(struct bond_fixture *f, unsigned i)
{
	return bond_member_filter(fixture_member(f, i));
}

int fixture_active(const struct bond_fixture *f)
{
	return f->table->active == BOND_NO_MEMBER ? -1 : f->table->active;
}

unsigned fixture_buckets(const struct bond_fixture *f, unsigned member)
{
	unsigned n = 0;

	for (unsigned b = 0; b < BOND_BUCKETS; b++)
		n += f->table->member[b] == member;
	return n;
}
