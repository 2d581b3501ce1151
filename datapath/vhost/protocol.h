/*
 * Numbers and payloads of the vhost-user protocol, as QEMU's
 * docs/interop/vhost-user.rst has them; in the machine's byte order. Nothing
 * but definitions.
 */
#ifndef VHOST_PROTOCOL_H
#define VHOST_PROTOCOL_H

#include <stdint.h>

enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_LOG_BASE = 6,
	VHOST_USER_SET_LOG_FD = 7,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_SEND_RARP = 19,
	VHOST_USER_NET_SET_MTU = 20,
	VHOST_USER_SET_BACKEND_REQ_FD = 21,
	VHOST_USER_IOTLB_MSG = 22,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_SET_CONFIG = 25,
	VHOST_USER_GET_INFLIGHT_FD = 31,
	VHOST_USER_SET_INFLIGHT_FD = 32,
	VHOST_USER_RESET_DEVICE = 34,
	VHOST_USER_GET_MAX_MEM_SLOTS = 36,
	VHOST_USER_ADD_MEM_REG = 37,
	VHOST_USER_REM_MEM_REG = 38,
	VHOST_USER_SET_STATUS = 39,
	VHOST_USER_GET_STATUS = 40,
	N_VHOST_USER_REQUESTS
};

#define VHOST_USER_HEADER_LEN	 12
#define VHOST_USER_VERSION_MASK	 0x3
#define VHOST_USER_VERSION	 0x1
#define VHOST_USER_REPLY	 0x4
#define VHOST_USER_NEED_REPLY	 0x8
#define VHOST_USER_VRING_MASK	 0xff  /* in payloads with a descriptor */
#define VHOST_USER_VRING_NOFD	 0x100 /* there is none */
#define VHOST_USER_TABLE_REGIONS 8     /* in one SET_MEM_TABLE */

#define VHOST_USER_F_PROTOCOL_FEATURES 30 /* beside the virtio features */

#ifndef VHOST_F_LOG_ALL
#define VHOST_F_LOG_ALL 26
#endif
#ifndef VHOST_VRING_F_LOG
#define VHOST_VRING_F_LOG 0 /* of vhost_user_vring_addr.flags */
#endif

enum vhost_user_protocol_feature {
	VHOST_USER_PROTOCOL_F_MQ = 0,
	VHOST_USER_PROTOCOL_F_LOG_SHMFD = 1,
	VHOST_USER_PROTOCOL_F_RARP = 2,
	VHOST_USER_PROTOCOL_F_REPLY_ACK = 3,
	VHOST_USER_PROTOCOL_F_NET_MTU = 4,
	VHOST_USER_PROTOCOL_F_BACKEND_REQ = 5,
	VHOST_USER_PROTOCOL_F_CONFIG = 9,
	VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD = 10,
	VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD = 12,
	VHOST_USER_PROTOCOL_F_RESET_DEVICE = 13,
	VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
	VHOST_USER_PROTOCOL_F_STATUS = 16,
};

struct vhost_user_vring_state {
	uint32_t index, num;
};

struct vhost_user_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct vhost_user_region {
	uint64_t guest, size, user, offset;
};

struct vhost_user_table {
	uint32_t n, padding;
	struct vhost_user_region regions[VHOST_USER_TABLE_REGIONS];
};

struct vhost_user_one_region {
	uint64_t padding;
	struct vhost_user_region region;
};

struct vhost_user_log {
	uint64_t size, offset;
};

/* Some send it without the padding at its end. */
struct vhost_user_inflight {
	uint64_t size, offset;
	uint16_t n_queues, queue_size;
	uint32_t padding;
};

struct vhost_user_config {
	uint32_t offset, size, flags;
	uint8_t bytes[256];
};

_Static_assert(sizeof(struct vhost_user_vring_state) == 8, "protocol");
_Static_assert(sizeof(struct vhost_user_vring_addr) == 40, "protocol");
_Static_assert(sizeof(struct vhost_user_table) == 8 + 8 * 32, "protocol");
_Static_assert(sizeof(struct vhost_user_one_region) == 40, "protocol");
_Static_assert(sizeof(struct vhost_user_log) == 16, "protocol");
_Static_assert(sizeof(struct vhost_user_inflight) == 24, "protocol");
_Static_assert(sizeof(struct vhost_user_config) == 12 + 256, "protocol");

#endif
