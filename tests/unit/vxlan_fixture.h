/*
 * Frames of VXLAN for tests: vectors that were made by other software (scapy),
 * and ways to say what headers are wanted.
 */
#ifndef TESTS_VXLAN_FIXTURE_H
#define TESTS_VXLAN_FIXTURE_H

#include "tunnel/vxlan.h"

/* An inner UDP frame, and the same in IPv4, and in IPv6 with a tag and a UDP
 * checksum; VNI 0x123456, source port 0xc123. */
#define VECTOR_INNER                                                           \
	"0200000000010200000000020800450000210007000040"                       \
	"1166c30a0000010a00000200010002000da7fc68656c6c6f"
#define VECTOR_OUTER4                                                          \
	"021111111111022222222222080045000053000040004011b696c0000201c0000202" \
	"c12312b5003f00000800000012345600"
#define VECTOR_OUTER6                                                          \
	"0211111111110222222222228100600586dd60000000003f1109"                 \
	"20010db800000000000000000000000120010db8000000000000000000000002"     \
	"c12312b5003f680c0800000012345600"

#define VECTOR_VNI  0x123456
#define VECTOR_PORT 0xc123

struct vector {
	uint8_t data[512];
	uint32_t len;
};

/* The bytes that hexadecimal digits say. */
struct vector vector_of(const char *hex);

/* As the vectors are; version 4 or 6. */
struct vxlan_outer_config vector_config(int version);
struct vxlan_outer outer_of(const struct vxlan_outer_config *config);

/* Of the vectors' inner frame. */
struct vxlan_flow vector_flow(void);

#endif
