/*
 * UDP datagrams as the services get them and send them: out of Ethernet frames
 * (RFC 768, RFC 791, RFC 8200) that are whole and untagged, and into such.
 */
#ifndef GATEWAY_UDP_FRAME_H
#define GATEWAY_UDP_FRAME_H

#include "gateway/client.h"

/* Ethernet, IPv6 and UDP headers in front of the payload, at most. */
#define UDP_FRAME_HEADERS 62

struct udp_endpoint {
	uint64_t mac;
	struct ip_address ip;
	uint16_t port;
};

struct udp_datagram {
	struct udp_endpoint from, to; /* ip of the same kind */
	const uint8_t *payload;
	size_t len;
};

/*
 * False: it is no UDP, a fragment, has IPv6 extension headers, is cut short, or
 * a checksum is wrong. The payload lies in the frame.
 */
bool udp_frame_parse(struct udp_datagram *datagram, const void *frame,
		     size_t len);
/* The frame's length; 0: it has no room, or the datagram is too long. */
size_t udp_frame_build(const struct udp_datagram *datagram, void *room,
		       size_t size);

#endif
