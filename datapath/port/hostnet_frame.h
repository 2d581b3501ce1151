/*
 * Frames on their way to libslirp and back: what may pass, and what is changed
 * so that TCP goes in pieces of up to 64 KB whatever the MTU of the segment is.
 * No system call is made here and nothing is allocated. A port's own thread.
 */
#ifndef PORT_HOSTNET_FRAME_H
#define PORT_HOSTNET_FRAME_H

#include "packet/drop.h"
#include "packet/packet.h"

/* The largest IP packet that libslirp takes and makes. */
#define HOSTNET_IP_MAX 65520

/* The network that a port is the way out of. Constant. */
struct hostnet_net {
	bool has_ip4, has_ip6;
	uint32_t ip4, mask4; /* the gateway's */
	uint8_t ip6[16];
	uint8_t prefix6;
	uint64_t router_mac;
	uint32_t mtu;
	bool way_out, host_loopback, dns;
};

enum hostnet_kind {
	HOSTNET_NONE, /* not looked at yet */
	HOSTNET_TCP,
	HOSTNET_TCP_NEW, /* asks for a connection */
	HOSTNET_UDP,
	HOSTNET_PING,
};

/* What a frame from a machine is, once it was let pass. */
struct hostnet_packet {
	uint8_t kind; /* enum hostnet_kind */
	uint8_t version;
	uint32_t l4, end; /* from the frame's first byte */
	uint8_t src[16], dst[16];
	uint16_t src_port, dst_port;
};

/* Segment sizes of machines that are smaller than the MTU's. */
#define HOSTNET_SIZES 4096
/* Datagrams that came from the gateway's address, which may be answered. */
#define HOSTNET_PEERS 1024

struct hostnet_memory {
	uint64_t seed; /* random */
	uint64_t now_s;
	struct {
		uint32_t tag;
		uint16_t size; /* 0: free */
	} sizes[HOSTNET_SIZES];
	struct {
		uint64_t tag, until_s;
	} peers[HOSTNET_PEERS];
};

/*
 * A frame from a machine, as the router passes it on: checks that libslirp may
 * see it, fills in *packet, and changes the frame where that is needed. False:
 * to be dropped with *reason, or with DROP_NAT_FRAGMENT: see
 * hostnet_fragment.h.
 */
bool hostnet_frame_in(const struct hostnet_net *net,
		      struct hostnet_memory *memory, uint8_t *frame,
		      uint32_t len, struct hostnet_packet *packet,
		      enum drop_reason *reason) MUST_CHECK;

/*
 * The answer to a connection that may not be, of which *packet is filled in
 * though hostnet_frame_in() refused it: the frame's length.
 */
#define HOSTNET_RESET_MAX 74
uint32_t hostnet_frame_reset(const uint8_t *frame,
			     const struct hostnet_packet *packet,
			     uint8_t reset[HOSTNET_RESET_MAX]);

/*
 * An IP packet that libslirp sends, with an Ethernet header in front: changes
 * it to what the router gets, and says in *offload what is left to be done.
 * False: it is not for a machine of the segment.
 */
bool hostnet_frame_out(const struct hostnet_net *net,
		       struct hostnet_memory *memory, uint8_t *frame,
		       uint32_t len, struct packet_offload *offload) MUST_CHECK;

/*
 * If the frame is an ARP request or a neighbor solicitation of libslirp's, the
 * answer: any address is at the router's MAC. Returns its length, else 0.
 */
#define HOSTNET_ANSWER_MAX 86
uint32_t hostnet_frame_answer(const struct hostnet_net *net,
			      const uint8_t *frame, uint32_t len,
			      uint8_t answer[HOSTNET_ANSWER_MAX]);

#endif
