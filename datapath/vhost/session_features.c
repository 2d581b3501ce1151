/* Negotiation, and what else is told of the device as a whole. */
#include "vhost/session_internal.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "packet/offload.h"

#ifndef VIRTIO_NET_F_HOST_USO
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO	56
#endif

#define MTU_MIN 68 /* virtio 1.2, 5.1.4 */

/*
 * What is offered. Those of the control queue are the front end's business and
 * pass through: it offers a guest only what its back end does.
 *
 * Not offered: CTRL_GUEST_OFFLOADS: a guest would change its offloads while it
 * runs, and no message tells a back end. NOTIFY_ON_EMPTY: legacy drivers do
 * without.
 */
static const uint8_t offered[] = {
	VIRTIO_NET_F_CSUM,
	VIRTIO_NET_F_GUEST_CSUM,
	VIRTIO_NET_F_MTU,
	VIRTIO_NET_F_MAC,
	VIRTIO_NET_F_GUEST_TSO4,
	VIRTIO_NET_F_GUEST_TSO6,
	VIRTIO_NET_F_GUEST_ECN,
	VIRTIO_NET_F_GUEST_UFO,
	VIRTIO_NET_F_HOST_TSO4,
	VIRTIO_NET_F_HOST_TSO6,
	VIRTIO_NET_F_HOST_ECN,
	VIRTIO_NET_F_HOST_UFO,
	VIRTIO_NET_F_MRG_RXBUF,
	VIRTIO_NET_F_STATUS,
	VIRTIO_NET_F_CTRL_VQ,
	VIRTIO_NET_F_CTRL_RX,
	VIRTIO_NET_F_CTRL_VLAN,
	VIRTIO_NET_F_CTRL_RX_EXTRA,
	VIRTIO_NET_F_GUEST_ANNOUNCE,
	VIRTIO_NET_F_MQ,
	VIRTIO_NET_F_CTRL_MAC_ADDR,
	VHOST_F_LOG_ALL,
	VIRTIO_F_ANY_LAYOUT,
	VIRTIO_RING_F_INDIRECT_DESC,
	VIRTIO_RING_F_EVENT_IDX,
	VHOST_USER_F_PROTOCOL_FEATURES,
	VIRTIO_F_VERSION_1,
	VIRTIO_F_RING_PACKED,
	VIRTIO_F_IN_ORDER,
	VIRTIO_NET_F_GUEST_USO4,
	VIRTIO_NET_F_GUEST_USO6,
	VIRTIO_NET_F_HOST_USO,
};

#define PROTOCOL_FEATURES                                                      \
	(1ull << VHOST_USER_PROTOCOL_F_MQ |                                    \
	 1ull << VHOST_USER_PROTOCOL_F_LOG_SHMFD |                             \
	 1ull << VHOST_USER_PROTOCOL_F_RARP |                                  \
	 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |                             \
	 1ull << VHOST_USER_PROTOCOL_F_NET_MTU |                               \
	 1ull << VHOST_USER_PROTOCOL_F_BACKEND_REQ |                           \
	 1ull << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD |                       \
	 1ull << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD |                        \
	 1ull << VHOST_USER_PROTOCOL_F_RESET_DEVICE |                          \
	 1ull << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS |                   \
	 1ull << VHOST_USER_PROTOCOL_F_STATUS)

static uint64_t offer(const struct vhost_session *s)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(offered); i++)
		bits |= 1ull << offered[i];
	if (!s->config.mtu)
		bits &= ~(1ull << VIRTIO_NET_F_MTU);
	if (s->config.n_pairs == 1)
		bits &= ~(1ull << VIRTIO_NET_F_MQ);
	return bits & ~s->config.features_off;
}

uint32_t session_tx_offloads(uint64_t f)
{
	uint32_t offloads = OFFLOAD_CSUM;

	/* Without its checksum no segment can be left to the guest. */
	if (!(f >> VIRTIO_NET_F_GUEST_CSUM & 1))
		return 0;
	if (f >> VIRTIO_NET_F_GUEST_TSO4 & 1)
		offloads |= OFFLOAD_TSO4;
	if (f >> VIRTIO_NET_F_GUEST_TSO6 & 1)
		offloads |= OFFLOAD_TSO6;
	if (f >> VIRTIO_NET_F_GUEST_ECN & 1)
		offloads |= OFFLOAD_TSO_ECN;
	if (f >> VIRTIO_NET_F_GUEST_UFO & 1)
		offloads |= OFFLOAD_UFO;
	if (f >> VIRTIO_NET_F_GUEST_USO4 & 1 &&
	    f >> VIRTIO_NET_F_GUEST_USO6 & 1)
		offloads |= OFFLOAD_USO;
	return offloads;
}

int session_get_features(struct vhost_session *s, struct session_request *r,
			 char **errp)
{
	session_reply_u64(r, offer(s));
	return 0;
}

/* A front end with several queue pairs says it once for each. */
int session_set_features(struct vhost_session *s, struct session_request *r,
			 char **errp)
{
	/* What a queue learns when it is started. */
	const uint64_t beside = 1ull << VHOST_F_LOG_ALL |
				1ull << VHOST_USER_F_PROTOCOL_FEATURES;
	uint64_t features, changed;
	bool first = !s->has_features;

	session_payload(r, &features, sizeof(features));
	if (features & ~offer(s))
		return set_error(errp, -EPROTO,
				 "it wants features %#jx, which the switch "
				 "does not offer",
				 (uintmax_t)(features & ~offer(s)));
	changed = features ^ s->features;
	if (!changed && !first)
		return 0;
	s->features = features;
	s->has_features = true;
	return session_apply_all(s, changed & ~beside, errp);
}

int session_get_protocol_features(struct vhost_session *s,
				  struct session_request *r, char **errp)
{
	session_reply_u64(r, PROTOCOL_FEATURES);
	return 0;
}

int session_set_protocol_features(struct vhost_session *s,
				  struct session_request *r, char **errp)
{
	uint64_t features;

	session_payload(r, &features, sizeof(features));
	if (features & ~PROTOCOL_FEATURES)
		return set_error(errp, -EPROTO,
				 "it wants protocol features %#jx, which the "
				 "switch does not offer",
				 (uintmax_t)(features & ~PROTOCOL_FEATURES));
	s->protocol_features = features;
	return 0;
}

int session_set_mtu(struct vhost_session *s, struct session_request *r,
		    char **errp)
{
	uint64_t mtu;

	session_payload(r, &mtu, sizeof(mtu));
	if (mtu < MTU_MIN || mtu > UINT16_MAX)
		return set_error(errp, -EINVAL,
				 "an MTU of %ju; it can be %u to %u",
				 (uintmax_t)mtu, MTU_MIN, UINT16_MAX);
	s->mtu = mtu;
	return 0;
}

int session_set_status(struct vhost_session *s, struct session_request *r,
		       char **errp)
{
	uint64_t status;

	session_payload(r, &status, sizeof(status));
	if (status > UINT8_MAX)
		return set_error(errp, -EPROTO, "a status has 8 bits");
	s->status = status;
	if (!status)
		session_stop_all(s);
	return 0;
}

int session_get_status(struct vhost_session *s, struct session_request *r,
		       char **errp)
{
	session_reply_u64(r, s->status);
	return 0;
}
