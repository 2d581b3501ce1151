/*
 * Numbers and payloads of vhost-user (QEMU's docs/interop/vhost-user.rst) that
 * our front end uses; in the machine's byte order. Nothing but definitions.
 */
#ifndef VMM_VHOST_PROTOCOL_H
#define VMM_VHOST_PROTOCOL_H

#include <stdint.h>

enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES = 2,
	VHOST_SET_OWNER = 3,
	VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_VRING_NUM = 8,
	VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10,
	VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12,
	VHOST_SET_VRING_CALL = 13,
	VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16,
	VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18,
	VHOST_SEND_RARP = 19,
	VHOST_NET_SET_MTU = 20,
	VHOST_GET_CONFIG = 24,
	VHOST_GET_INFLIGHT_FD = 31,
	VHOST_SET_INFLIGHT_FD = 32,
};

enum vhost_protocol_feature {
	VHOST_PROTOCOL_MQ = 0,
	VHOST_PROTOCOL_RARP = 2,
	VHOST_PROTOCOL_REPLY_ACK = 3,
	VHOST_PROTOCOL_NET_MTU = 4,
	VHOST_PROTOCOL_CONFIG = 9,
	VHOST_PROTOCOL_INFLIGHT = 12,
};

enum {
	VHOST_F_PROTOCOL_FEATURES = 30, /* beside the virtio features */
	/* header.flags */
	VHOST_VERSION_MASK = 3,
	VHOST_VERSION = 1,
	VHOST_REPLY = 4,
	VHOST_NEED_REPLY = 8,
	/* of a payload that names a queue and has a descriptor */
	VHOST_NO_FD = 0x100,
	VHOST_CONFIG_MAX = 256,
};

struct vhost_header {
	uint32_t request, flags, size;
};

struct vhost_ring_state {
	uint32_t index, num;
};

struct vhost_ring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct vhost_region {
	uint64_t guest, size, user, offset;
};

struct vhost_memory_table {
	uint32_t n, padding;
	struct vhost_region regions[2];
};

struct vhost_inflight {
	uint64_t size, offset;
	uint16_t n_queues, queue_size;
	uint32_t padding;
};

struct vhost_config {
	uint32_t offset, size, flags;
	uint8_t bytes[VHOST_CONFIG_MAX];
};

union vhost_payload {
	uint64_t u64;
	struct vhost_ring_state state;
	struct vhost_ring_addr addr;
	struct vhost_memory_table table;
	struct vhost_inflight inflight;
	struct vhost_config config;
	uint8_t mac[8];
};

#endif
