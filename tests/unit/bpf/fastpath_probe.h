/* What the probe (fastpath_probe.bpf.c) tells of a frame. */
#ifndef TESTS_FASTPATH_PROBE_H
#define TESTS_FASTPATH_PROBE_H

#include "fastpath/layout.h"

struct probe_result {
	__u32 verdict; /* enum fp_verdict */
	__u32 action;  /* of who forwarded it; TC_ACT_OK: nobody did */
	/* The frame behind that. */
	__u32 len;
	__u16 has_tag, tag_type, tci;
	__u16 reserved;
	__u32 mark, priority;
	struct fp_decision decision;
};

#endif
