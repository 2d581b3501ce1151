/*
 * The frame that `trace` is told of: from its bytes in hex, or made up from
 * fields with the names of Open vSwitch.
 */
#ifndef VSWD_TRACE_FRAME_H
#define VSWD_TRACE_FRAME_H

#include "base/util.h"
#include "packet/packet.h"

struct trace_frame {
	char in_port[64]; /* as given: a port's name or number */
	char tun_src[64]; /* the remote VTEP that it comes from, or "" */
	uint32_t len;
	uint8_t data[PACKET_LEN_MAX];
};

/*
 * words: the arguments behind the bridge, of which each is a list of fields
 * ("in_port=p1,dl_vlan=10,tcp"), or a frame in hex, of which there may be one.
 * 0, or -EINVAL with a message that says what would be right. Any strings.
 *
 * What no field says is chosen: a station's source, the broadcast address as
 * destination, an ethertype and a protocol by the fields that are there, TTL
 * 64, lengths and checksums that are right, zeros up to 60 bytes.
 */
int trace_frame_parse(struct trace_frame *frame, unsigned n_words,
		      const char *const words[], char **errp);

#endif
