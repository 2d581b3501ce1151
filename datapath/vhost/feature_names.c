/* Names of features (feature_names.h). */
#include "vhost/feature_names.h"

#include <string.h>

static const char *const features[64] = {
	[0] = "csum",
	[1] = "guest_csum",
	[2] = "ctrl_guest_offloads",
	[3] = "mtu",
	[5] = "mac",
	[7] = "guest_tso4",
	[8] = "guest_tso6",
	[9] = "guest_ecn",
	[10] = "guest_ufo",
	[11] = "host_tso4",
	[12] = "host_tso6",
	[13] = "host_ecn",
	[14] = "host_ufo",
	[15] = "mrg_rxbuf",
	[16] = "status",
	[17] = "ctrl_vq",
	[18] = "ctrl_rx",
	[19] = "ctrl_vlan",
	[20] = "ctrl_rx_extra",
	[21] = "guest_announce",
	[22] = "mq",
	[23] = "ctrl_mac_addr",
	[24] = "notify_on_empty",
	[26] = "log_all",
	[27] = "any_layout",
	[28] = "indirect_desc",
	[29] = "event_idx",
	[30] = "protocol_features",
	[32] = "version_1",
	[33] = "access_platform",
	[34] = "packed",
	[35] = "in_order",
	[36] = "order_platform",
	[38] = "notification_data",
	[40] = "ring_reset",
	[54] = "guest_uso4",
	[55] = "guest_uso6",
	[56] = "host_uso",
	[57] = "hash_report",
	[59] = "guest_hdrlen",
	[60] = "rss",
	[61] = "rsc_ext",
	[62] = "standby",
	[63] = "speed_duplex",
};

static const char *const protocol_features[64] = {
	"mq",
	"log_shmfd",
	"rarp",
	"reply_ack",
	"net_mtu",
	"backend_req",
	"cross_endian",
	"crypto_session",
	"pagefault",
	"config",
	"backend_send_fd",
	"host_notifier",
	"inflight_shmfd",
	"reset_device",
	"inband_notifications",
	"configure_mem_slots",
	"status",
	"xen_mmap",
	"shared_object",
	"device_state",
};

#define BIT(n) (1ull << (n))

/* What depends on a feature goes with it (virtio 1.2, 5.1.3.1). */
#define TSO_BITS (BIT(7) | BIT(8) | BIT(9) | BIT(11) | BIT(12) | BIT(13))
#define UFO_BITS (BIT(10) | BIT(14))
#define USO_BITS (BIT(54) | BIT(55) | BIT(56))

static const struct {
	const char *name;
	uint64_t bits;
} switches[] = {
	{ "packed", BIT(34) },
	{ "in_order", BIT(35) },
	{ "mrg_rxbuf", BIT(15) },
	{ "indirect_desc", BIT(28) },
	{ "event_idx", BIT(29) },
	{ "csum", BIT(0) | BIT(1) | TSO_BITS | UFO_BITS | USO_BITS },
	{ "tso", TSO_BITS },
	{ "ufo", UFO_BITS },
	{ "uso", USO_BITS },
};

const char *vhost_feature_name(unsigned bit)
{
	return bit < ARRAY_SIZE(features) ? features[bit] : NULL;
}

const char *vhost_protocol_feature_name(unsigned bit)
{
	return bit < ARRAY_SIZE(protocol_features) ? protocol_features[bit]
						   : NULL;
}

uint64_t vhost_feature_switch(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		if (!strcmp(switches[i].name, name))
			return switches[i].bits;
	return 0;
}

const char *vhost_feature_switch_name(size_t i)
{
	return i < ARRAY_SIZE(switches) ? switches[i].name : NULL;
}
