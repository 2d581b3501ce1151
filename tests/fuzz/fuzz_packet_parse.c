/* Pulling, tags and the header parser on any bytes in any pieces. */
#include "fuzz_input.h"
#include "packet/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(const struct packet *p, const struct flow_key *key)
{
	MUST(key->n_tags <= FLOW_TAGS_MAX);
	MUST(key->l3 <= p->header_len && key->l4 <= p->header_len);
	MUST(!key->l4 || (key->l4 >= key->l3 + 20 && key->ip_version));
	MUST(!key->has_ports || key->l4 + 4 <= p->header_len);
	MUST(!key->has_ports || key->fragment != FLOW_FRAG_LATER);
	MUST(packet_l2_len(p, FLOW_TAGS_MAX) == key->l3);
}

/* The same bytes as before, whatever is private by now. */
static void check_bytes(const struct packet *p, const uint8_t *want, uint32_t n)
{
	static uint8_t got[PACKET_LEN_MAX + 64];

	MUST(p->len == n && packet_read(p, 0, got, sizeof(got)) == n);
	MUST(!memcmp(got, want, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t frame[PACKET_LEN_MAX + 64];
	struct flow_key key;
	struct fuzz_packet f;
	struct packet copy;
	uint8_t how[3];
	uint32_t n;

	fuzz_take(&data, &size, how, sizeof(how));
	fuzz_packet_init(&f, data, size, how[0], how[1] & 1);
	packet_pull(&f.p, how[2] % (PACKET_PULL_MAX + 1));
	if (!f.p.vlan_beside && how[2])
		packet_pull(&f.p, ETH_HEADER_LEN);
	n = packet_read(&f.p, 0, frame, sizeof(frame));
	packet_pull(&f.p, f.p.vlan_beside ? 0 : PACKET_PULL_MAX);
	check_bytes(&f.p, frame, n);
	if (flow_parse_packet(&f.p, &key)) {
		check_key(&f.p, &key);
		packet_copy(&copy, &f.p);
		MUST(packet_vlan_push(&copy, ETH_TYPE_VLAN, 7));
		packet_vlan_pop(&copy);
		check_bytes(&copy, frame, n);
	}
	flow_parse(frame, n, &key);
	fuzz_packet_fini(&f);
	return 0;
}
