/*
 * Frames that are almost a stream of TCP, each as the input changes it: what
 * they are joined to is cut into just the frames that there were, but for the
 * IPv4 identification of those that may not be fragmented.
 */
#include "fuzz_input.h"
#include "packet/coalesce.h"
#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_MAX	24
#define LEN_MAX 400
#define PIECES	(N_MAX * 2)

struct change {
	uint8_t at, to, more;
};

static uint8_t frames[N_MAX][LEN_MAX], got[LEN_MAX * N_MAX + 300];
static uint32_t lens[N_MAX];

/* A right one of `len` bytes, if there are headers in it. */
static void fix(uint8_t *f, uint32_t len)
{
	uint32_t l4 = load_be16(f + 12) == ETH_TYPE_IPV4 ? 34 : 54;
	uint64_t sum;

	if (l4 == 34) {
		store_be16(f + 16, len - 14);
		csum_ipv4_header(f + 14, 20);
	} else {
		store_be16(f + 18, len - 54);
	}
	memset(f + l4 + 16, 0, 2);
	sum = l4 == 34 ? csum_pseudo4(f + 14, 6, len - l4)
		       : csum_pseudo6(f + 14, 6, len - l4);
	csum_store(f + l4 + 16, csum_add(sum, f + l4, len - l4));
}

static void make(const uint8_t *data, size_t size, unsigned n, uint32_t len)
{
	uint8_t base[LEN_MAX];
	uint32_t seq = 0;

	memset(base, 0x55, sizeof(base));
	fuzz_take(&data, &size, base, 100);
	for (unsigned i = 0; i < n; i++) {
		uint32_t l4 = load_be16(base + 12) == ETH_TYPE_IPV4 ? 34 : 54;
		struct change c;

		fuzz_take(&data, &size, &c, sizeof(c));
		memcpy(frames[i], base, len);
		lens[i] = len - (c.more & 1 ? c.more % 20 : 0);
		store_be32(frames[i] + l4 + 4, load_be32(base + l4 + 4) + seq);
		if (l4 == 34)
			store_be16(frames[i] + 18, load_be16(base + 18) + i);
		if (c.at)
			frames[i][c.at] ^= c.to;
		if (!(c.more & 2))
			fix(frames[i], lens[i]);
		seq += len - l4 - (base[l4 + 12] >> 4) * 4;
	}
}

static void expect(const uint8_t *bytes, uint32_t len, unsigned i)
{
	uint8_t want[LEN_MAX];

	memcpy(want, frames[i], lens[i]);
	MUST(len == lens[i]);
	if (load_be16(want + 12) == ETH_TYPE_IPV4 && want[20] & 0x40 &&
	    memcmp(want + 18, bytes + 18, 2) != 0) {
		memcpy(want + 18, bytes + 18, 2);
		csum_ipv4_header(want + 14, 20);
	}
	MUST(!memcmp(want, bytes, len));
}

/* Of the n frames from the i-th on. */
static void check(struct packet *p, unsigned i, unsigned n)
{
	static struct gso_scratch scratch;
	struct packet *segment;
	struct gso gso;

	MUST(p->len <= UINT16_MAX + ETH_HEADER_LEN);
	if (!p->offload.gso) {
		MUST(n == 1);
		MUST(packet_read(p, 0, got, sizeof(got)) == p->len);
		expect(got, p->len, i);
		return;
	}
	MUST(p->offload.csum_needed && !gso_start(&gso, p, true));
	gso_scratch_clear(&scratch);
	for (unsigned j = 0; j < n; j++) {
		MUST(gso_next(&gso, &scratch, &segment) == 1);
		packet_read(segment, 0, got, sizeof(got));
		expect(got, segment->len, i + j);
	}
	MUST(!gso_next(&gso, &scratch, &segment));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_segment pieces[PIECES];
	struct fuzz_packet f[N_MAX];
	unsigned first[N_MAX + 1], n_out = 0, n;
	struct coalesce c;
	uint8_t how[4];

	fuzz_take(&data, &size, how, sizeof(how));
	n = 1 + how[0] % N_MAX;
	make(data, size, n, 130 + how[1]);
	coalesce_init(&c, pieces, how[2] % (PIECES + 1));
	for (unsigned i = 0; i < n; i++) {
		fuzz_packet_init(&f[i], frames[i], lens[i], how[3] & 0x7f,
				 false);
		if (!coalesce_add(&c, &f[i].p)) {
			first[n_out++] = i;
			if (how[3] & 0x80)
				MUST(packet_vlan_push(&f[i].p, ETH_TYPE_VLAN,
						      5));
		}
	}
	coalesce_end(&c);
	first[n_out] = n;
	for (unsigned i = 0; i < n_out; i++) {
		if (how[3] & 0x80)
			packet_vlan_pop(&f[first[i]].p);
		check(&f[first[i]].p, first[i], first[i + 1] - first[i]);
	}
	for (unsigned i = 0; i < n; i++)
		fuzz_packet_fini(&f[i]);
	return 0;
}
