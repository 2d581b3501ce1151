/*
 * From a packet to the member that it leaves by; see bond_table.h.
 */
#include "bond/bond_table.h"

#include "packet/parse.h"

#define MIX_A 0x9e3779b1u
#define MIX_B 0x85ebca6bu

static uint32_t mix(uint32_t h, uint32_t word)
{
	return __builtin_bswap32((h ^ word) * MIX_A);
}

static unsigned finish(uint32_t h)
{
	return h * MIX_B >> 24;
}

static uint32_t mix_bytes(uint32_t h, const uint8_t *data, unsigned n)
{
	for (unsigned i = 0; i < n; i += 4)
		h = mix(h, load_be32(data + i));
	return h;
}

static uint32_t mix_mac(uint32_t h, uint64_t mac, uint16_t vid)
{
	return mix(mix(h, mac >> 16), (uint32_t)mac << 16 | vid);
}

unsigned bond_hash_slb(uint64_t mac, uint16_t vid, uint32_t basis)
{
	return finish(mix_mac(basis, mac, vid));
}

static uint16_t vid_of(const struct flow_key *key)
{
	return key->n_tags ? VLAN_VID(key->tci[0]) : 0;
}

unsigned bond_table_bucket(const struct bond_table *table,
			   const struct packet *p, uint16_t in)
{
	uint32_t h = table->basis;
	struct flow_key key;
	unsigned len;

	if (table->hash == BOND_HASH_NONE)
		return 0;
	if (table->hash == BOND_HASH_PORT)
		return finish(mix(h, in));
	if (!flow_parse_packet(p, &key))
		return 0;
	if (table->hash == BOND_HASH_SLB)
		return bond_hash_slb(key.src_mac, vid_of(&key), h);
	if (!key.ip_version)
		return finish(mix_mac(mix_mac(h, key.src_mac, vid_of(&key)),
				      key.dst_mac, 0));
	len = key.ip_version == 4 ? 4 : 16;
	h = mix_bytes(h, key.src_ip, len);
	h = mix_bytes(h, key.dst_ip, len);
	if (table->hash == BOND_HASH_L4 && key.has_ports &&
	    key.fragment == FLOW_FRAG_NONE)
		h = mix(h, (uint32_t)key.src_port << 16 | key.dst_port);
	return finish(h);
}

bool bond_table_choose(const struct bond_table *table,
		       struct packet *const packets[], unsigned n, uint16_t in,
		       unsigned thread, uint8_t members[])
{
	struct bond_load *load = table->loads && thread < table->n_loads
					 ? table->loads[thread]
					 : NULL;
	bool same = true;

	for (unsigned i = 0; i < n; i++) {
		unsigned bucket = bond_table_bucket(table, packets[i], in);

		members[i] = table->hash == BOND_HASH_NONE
				     ? table->active
				     : table->member[bucket];
		same &= members[i] == members[0];
		if (load)
			counter_add(&load->bytes[bucket], packets[i]->len);
	}
	return same;
}
