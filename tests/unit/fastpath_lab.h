/*
 * Random bridges and random frames for the kernel's fast path: the pipeline
 * and the kernel's decision (fastpath/decide.h), here compiled natively, get
 * the same of both. All of it follows from one seed.
 */
#ifndef TESTS_FASTPATH_LAB_H
#define TESTS_FASTPATH_LAB_H

#include "forward/bypass.h"
#include "tests/unit/switch_fixture.h"

#define LAB_PORTS     6
#define LAB_STATIONS  40
#define LAB_FRAME_MAX 720

struct lab_frame {
	uint8_t data[LAB_FRAME_MAX];
	uint32_t len;
	/* Beside it, as a device hands it over. */
	bool has_tag;
	uint16_t tag_type, tci;
	/* To be cut up; csum_start: where its transport header is. */
	uint16_t gso_size, gso, csum_start, csum_offset;
};

struct lab {
	uint64_t seed;
	struct fixture *f;
	struct fwd_bridge *bridge;
	struct fdb *fdb;
	uint32_t now_s;
	struct fixture_port *ports[LAB_PORTS]; /* port i: number i + 1 */
	uint64_t macs[LAB_STATIONS];
	/* What the kernel is given, as vswd would. Device and slot of number n
	 * are 100 + n and 200 + n. */
	struct fwd_bypass bypass[LAB_PORTS];
	struct fp_port fp[LAB_PORTS + 1];
	struct fp_state states[LAB_PORTS + 1];
	/* The FDB's memory as the kernel has it; lab_copy_fdb(). */
	struct fp_fdb_header header;
	struct fp_bucket *buckets;
	uint64_t n_buckets;
};

#define LAB_IFINDEX 100
#define LAB_SLOT    200

/* cmocka's asserts inside. */
struct lab *lab_create(uint64_t seed);
void lab_destroy(struct lab *lab);
/* A number below n. */
unsigned lab_pick(struct lab *lab, unsigned n);
/* Something changes: time passes, an MTU, a link. */
void lab_stir(struct lab *lab);
/* Returns by which port (an index) it comes in. */
unsigned lab_make_frame(struct lab *lab, struct lab_frame *frame);
void lab_copy_fdb(struct lab *lab);
/* The pipeline's way; what was sent is in lab->ports[].sent. */
void lab_run(struct lab *lab, unsigned in, const struct lab_frame *frame);
/* The kernel's, as C: works on lab->header and lab->buckets. */
enum fp_verdict lab_decide(struct lab *lab, unsigned in,
			   const struct lab_frame *frame,
			   struct fp_decision *decision);
/* Bytes as they leave by a decision; returns the length. */
uint32_t lab_shape(const struct lab_frame *frame,
		   const struct fp_decision *decision,
		   uint8_t out[LAB_FRAME_MAX + VLAN_TAG_LEN]);

#endif
