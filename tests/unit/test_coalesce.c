/* TCP segments made one large packet again, and which are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/coalesce.h"
#include "packet/gso.h"
#include "packet/parse.h"
#include "packet/vlan.h"

#define N_MAX 200
#define MSS   100u

static struct frame built[N_MAX];
static uint8_t payload[N_MAX * 2000], got[2200];
static struct packet packets[N_MAX];
static struct packet_segment *blocks[N_MAX], room[N_MAX * 8];
static unsigned n_blocks[N_MAX];

struct stream {
	int version;
	unsigned tcp_extra;
	uint32_t mss, piece;
	unsigned n;
	uint32_t last; /* bytes of the last one; 0: as all */
};

static void make(const struct stream *s)
{
	uint32_t seq = 0xffffff80;

	fill(payload, sizeof(payload), 3);
	for (unsigned i = 0; i < s->n; i++) {
		bool last = i == s->n - 1;
		struct frame_spec spec = {
			.version = s->version,
			.proto = IPPROTO_TCP,
			.tcp_extra = s->tcp_extra,
			.ip_id = 65530 + i,
			.seq = seq,
			.tcp_flags = last ? 0x18 : 0x10,
			.payload = payload + i * s->mss,
			.payload_len = last && s->last ? s->last : s->mss,
		};

		frame_build(&built[i], &spec);
		seq += spec.payload_len;
	}
}

static void load(const struct stream *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		blocks[i] = pieces_make(built[i].data, built[i].len, s->piece,
					&n_blocks[i]);
		packet_of_pieces(&packets[i], blocks[i], n_blocks[i],
				 built[i].len);
	}
}

static void unload(const struct stream *s)
{
	for (unsigned i = 0; i < s->n; i++)
		pieces_free(blocks[i], n_blocks[i]);
}

/* The segments of a packet that was made of `n` from the i-th on. */
static void expect_segments(struct packet *p, unsigned i, unsigned n,
			    uint16_t tag)
{
	static struct gso_scratch scratch;
	struct packet *segment;
	struct gso gso;

	if (tag)
		packet_vlan_pop(p);
	if (n == 1) {
		assert_int_equal(p->offload.gso, PACKET_GSO_NONE);
		assert_int_equal(packet_read(p, 0, got, sizeof(got)),
				 built[i].len);
		assert_memory_equal(got, built[i].data, built[i].len);
		return;
	}
	assert_int_equal(gso_start(&gso, p, true), 0);
	for (unsigned j = 0; j < n; j++) {
		gso_scratch_clear(&scratch);
		assert_int_equal(gso_next(&gso, &scratch, &segment), 1);
		assert_int_equal(packet_read(segment, 0, got, sizeof(got)),
				 built[i + j].len);
		assert_memory_equal(got, built[i + j].data, built[i + j].len);
	}
	assert_int_equal(gso_next(&gso, &scratch, &segment), 0);
}

/* How many there are of the stream; each of them is what it was made of. */
static unsigned run(const struct stream *s, uint16_t tag)
{
	unsigned first[N_MAX + 1], n = 0;
	struct coalesce c;

	load(s);
	coalesce_init(&c, room, ARRAY_SIZE(room));
	for (unsigned i = 0; i < s->n; i++) {
		if (coalesce_add(&c, &packets[i])) {
			/* As a caller would use it again. */
			memset(&packets[i], 0xee, sizeof(packets[i]));
			continue;
		}
		if (tag)
			assert_true(packet_vlan_push(&packets[i], ETH_TYPE_VLAN,
						     tag));
		first[n++] = i;
	}
	coalesce_end(&c);
	first[n] = s->n;
	for (unsigned i = 0; i < n; i++)
		expect_segments(&packets[first[i]], first[i],
				first[i + 1] - first[i], tag);
	unload(s);
	return n;
}

static void joined(void **state)
{
	static const uint32_t pieces[] = { 0, 64, 1000, 50 };

	for (unsigned how = 0; how < 32; how++) {
		struct stream s = { .version = how & 1 ? 6 : 4,
				    .tcp_extra = how & 2 ? 12 : 0,
				    .mss = 1400,
				    .piece = pieces[how / 8],
				    .n = 40,
				    .last = how & 4 ? 700 : 0 };

		make(&s);
		assert_int_equal(run(&s, 0), 1);
		assert_int_equal(run(&s, 5), 1);
	}
}

/* Neither too many nor too long. */
static void bounded(void **state)
{
	struct stream s = { .version = 4, .mss = 100, .n = 129 };

	make(&s);
	assert_int_equal(run(&s, 0), 3);
	s.mss = 1900;
	make(&s);
	assert_int_equal(run(&s, 0), 4); /* 34 each */
}

static void fix_csums(struct frame *f)
{
	uint32_t len = f->len - f->l4;
	uint32_t ip_len = f->l4 - f->l3;
	uint16_t sum;

	if (ip_len == 20) {
		memset(f->data + f->l3 + 10, 0, 2);
		store_be16(f->data + f->l3 + 10,
			   ~plain_sum(f->data + f->l3, 20, 0));
	}
	memset(f->data + f->l4 + 16, 0, 2);
	sum = plain_sum(f->data + f->l3 + (ip_len == 20 ? 12 : 8),
			ip_len == 20 ? 8 : 32, len + IPPROTO_TCP);
	store_be16(f->data + f->l4 + 16, ~plain_sum(f->data + f->l4, len, sum));
}

/* Of three the second one has another byte: it is not joined to the first. */
static void differs(int version, uint32_t at, uint8_t bits, unsigned n)
{
	struct stream s = {
		.version = version, .tcp_extra = 12, .mss = MSS, .n = 3
	};

	make(&s);
	built[1].data[at] ^= bits;
	fix_csums(&built[1]);
	assert_int_equal(run(&s, 0), n);
}

static void not_joined(void **state)
{
	static const uint8_t both[] = { 0, 5, 6, 11 };
	static const uint8_t ip4[] = { 1, 5, 8, 12, 19 };
	static const uint8_t ip6[] = { 1, 2, 3, 7, 8, 23, 24, 39 };
	static const uint8_t tcp[] = { 0, 3, 4, 7, 8, 11, 14, 15, 20, 31 };

	for (int v = 4; v <= 6; v += 2) {
		uint32_t l4 = v == 4 ? 34 : 54;

		for (unsigned i = 0; i < ARRAY_SIZE(both); i++)
			differs(v, both[i], 1, 3);
		for (unsigned i = 0; i < ARRAY_SIZE(tcp); i++)
			differs(v, l4 + tcp[i], 2, 3);
		for (unsigned bit = 1; bit < 7; bit++)
			differs(v, l4 + 13, 1 << bit, bit == 3 ? 2 : 3);
		/* The last one of its flow, it may be. */
		differs(v, l4 + 13, 1, 2);
		differs(v, l4 + 13, 0x80, 2); /* CWR begins a new one */
	}
	for (unsigned i = 0; i < ARRAY_SIZE(ip4); i++)
		differs(4, 14 + ip4[i], 1, 3);
	for (unsigned i = 0; i < ARRAY_SIZE(ip6); i++)
		differs(6, 14 + ip6[i], 1, 3);
}

/* A wrong checksum stays the one that it was. */
static void wrong_checksums(void **state)
{
	for (int v = 4; v <= 6; v += 2)
		for (unsigned which = 0; which < 3; which++) {
			struct stream s = { .version = v, .mss = MSS, .n = 3 };

			make(&s);
			built[which].data[built[which].len - 1] ^= 1;
			assert_int_equal(run(&s, 0), which == 1 ? 3 : 2);
			if (v == 6)
				continue;
			make(&s);
			built[which].data[14 + 10] ^= 1;
			assert_int_equal(run(&s, 0), which == 1 ? 3 : 2);
		}
}

/* No room for pieces: nothing is lost. */
static void no_room(void **state)
{
	struct stream s = { .version = 4, .mss = MSS, .n = 10 };
	struct coalesce c;
	unsigned n = 0;

	make(&s);
	load(&s);
	coalesce_init(&c, room, 4);
	for (unsigned i = 0; i < s.n; i++)
		n += !coalesce_add(&c, &packets[i]);
	coalesce_end(&c);
	assert_int_equal(c.n_pieces, 4);
	assert_int_equal(n, 7);
	expect_segments(&packets[0], 0, 4, 0);
	unload(&s);
}

/* IPv4's identification says something only where DF is not set. */
static void identification(void **state)
{
	struct stream s = { .version = 4, .mss = MSS, .n = 3 };

	make(&s);
	for (unsigned i = 0; i < 3; i++) {
		built[i].data[14 + 6] = 0;
		fix_csums(&built[i]);
	}
	assert_int_equal(run(&s, 0), 1);
	store_be16(built[1].data + 18, 7);
	fix_csums(&built[1]);
	assert_int_equal(run(&s, 0), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joined),     cmocka_unit_test(bounded),
		cmocka_unit_test(not_joined), cmocka_unit_test(wrong_checksums),
		cmocka_unit_test(no_room),    cmocka_unit_test(identification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
