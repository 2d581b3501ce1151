/*
 * A bond with a clock and a network of its own: what it sends and says is
 * written down, time passes when the test says so.
 */
#ifndef TESTS_UNIT_BOND_FIXTURE_H
#define TESTS_UNIT_BOND_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "bond/bond.h"

#define NOTED_MAX    20000
#define STATIONS_MAX 5000

struct noted {
	uint64_t at;
	unsigned member; /* BOND_NO_MEMBER: announced by the bond */
	uint16_t vid;
	uint16_t len;
	uint8_t frame[128];
};

struct station {
	uint64_t mac;
	uint16_t vid;
};

struct bond_fixture {
	struct bond *bond;
	uint64_t now;
	struct bond_table *table; /* of the last change */
	unsigned n_changed, n_runs;
	bool no_tables; /* the caller is slow to make one */
	struct bond_config config;
	struct bond_member_config members[BOND_MEMBERS_MAX];
	struct station stations[STATIONS_MAX];
	unsigned n_stations;
	struct noted *noted;
	unsigned n_noted;
	/* Beacons are handed on between members; a set bit: cut off. */
	bool hub;
	uint32_t deaf, mute;
};

/* Members a, b, c ...; nothing is configured yet, time is 1000. */
void bond_fixture_start(struct bond_fixture *f, unsigned n_members);
void bond_fixture_stop(struct bond_fixture *f);
/* What the caller does when the bond has changed, if it is not slow. */
void fixture_publish(struct bond_fixture *f);
/* Must succeed. */
void bond_fixture_configure(struct bond_fixture *f);
struct bond_member *fixture_member(struct bond_fixture *f, unsigned i);
void fixture_link(struct bond_fixture *f, unsigned i, bool up);
/* All links; announcements of the start are over then, and forgotten. */
void fixture_links_up(struct bond_fixture *f);
/* Runs the bond whenever it asks for it. */
void fixture_pass(struct bond_fixture *f, uint64_t ms);
/* Sends bytes by a bucket, as forwarding counts them. */
void fixture_load(struct bond_fixture *f, unsigned bucket, uint64_t bytes);

bool fixture_enabled(struct bond_fixture *f, unsigned i);
unsigned fixture_filter(struct bond_fixture *f, unsigned i);
/* By the last table; -1: none. */
int fixture_active(const struct bond_fixture *f);
unsigned fixture_buckets(const struct bond_fixture *f, unsigned member);
uint64_t fixture_mac(unsigned i);

#endif
