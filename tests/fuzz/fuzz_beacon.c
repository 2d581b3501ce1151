/*
 * Beacons that a bond receives: any bytes, and bytes in the place of one that
 * is right. The identity is random, so it is put in where the input says so.
 */
#include "base/log.h"
#include "bond/bond.h"
#include "fuzz_input.h"
#include "packet/beacon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static uint64_t identity;

static void send_cb(struct bond_member *m, const void *frame, size_t len,
		    void *arg)
{
	struct beacon beacon;

	MUST(len == BEACON_FRAME_LEN && beacon_parse(frame, len, &beacon));
	identity = beacon.identity;
}

static void announce_cb(const void *frame, size_t len, uint16_t vid, void *arg)
{
}

static void stations_cb(void (*cb)(void *cb_arg, uint64_t mac, uint16_t vid),
			void *cb_arg, void *arg)
{
}

static void changed_cb(void *arg)
{
}

static const struct bond_ops ops = { send_cb, announce_cb, stations_cb,
				     changed_cb };

static struct bond *make_bond(void)
{
	static const struct bond_member_config members[] = { { .name = "a" },
							     { .name = "b" },
							     { .name = "c" } };
	const struct bond_config config = {
		.policy = BOND_BALANCE_SLB,
		.detect = BOND_DETECT_BEACON,
		.beacon_ms = 100,
		.members = members,
		.n_members = 3,
	};
	struct bond *bond = bond_create("fuzz", 1, &ops, NULL, 1);
	char *error = bond_configure(bond, &config, 1);

	MUST(!error);
	for (unsigned i = 0; i < 3; i++)
		bond_member_set_link(bond_member_at(bond, i), true,
				     0x020000000001 + i, 0, true, 1);
	bond_run(bond, 1);
	return bond;
}

/* Takes a frame off the input: how, its length, its bytes. */
static void receive_one(struct bond *bond, const uint8_t **data, size_t *size,
			uint64_t *now)
{
	uint8_t how[4], *exact;
	struct beacon beacon;
	size_t n;

	fuzz_take(data, size, how, sizeof(how));
	n = MIN(how[1], *size);
	exact = malloc(n + BEACON_FRAME_LEN);
	fuzz_take(data, size, exact, n);
	if (how[0] & 1) {
		beacon.identity = identity;
		beacon.mac = 0x020000000001 + how[2] % 4;
		beacon.sequence = how[3];
		beacon_write(&beacon, exact);
		n = BEACON_FRAME_LEN;
	} else if (how[0] & 2 && n >= 28) {
		memcpy(exact + 20, &(uint64_t){ __builtin_bswap64(identity) },
		       8);
	}
	bond_receive_beacon(bond_member_at(bond, (how[0] >> 2) % 3), exact, n,
			    *now);
	free(exact);
	*now += how[0] >> 4 << 4;
	bond_run(bond, *now);
	MUST(bond_next_ms(bond) > *now);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return log_set("ANY:console:off", NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bond *bond = make_bond();
	struct bond_status status;
	uint64_t now = 1;

	while (size)
		receive_one(bond, &data, &size, &now);
	/* Whatever strangers send, a bond with links has an active member. */
	bond_get_status(bond, now, &status);
	MUST(status.active);
	bond_destroy(bond);
	return 0;
}
