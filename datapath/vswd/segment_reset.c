/* Resets of TCP connections to a gateway; see segment_reset.h. */
#include "vswd/segment_reset.h"

#include <string.h>

#include "gateway/writer.h"
#include "packet/csum.h"
#include "packet/parse.h"
#include "packet/reader.h"

#define IP4_LEN	  20
#define IP6_LEN	  40
#define TCP_LEN	  20
#define HOP_LIMIT 64
#define PROTO_TCP 6

enum tcp_flags {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_ACK = 0x10,
};

/* The TCP segment, whole and not a fragment's; fails otherwise. */
static struct reader find_tcp(const struct segment_packet *packet)
{
	const uint8_t *ip;
	struct reader r;
	unsigned header_len, total;

	reader_init(&r, packet->frame, packet->len);
	reader_skip(&r, ETH_HEADER_LEN);
	ip = reader_take(&r, IP4_LEN);
	if (ip && ip[0] >> 4 == 4) {
		header_len = (ip[0] & 15) * 4u;
		total = load_be16(ip + 2);
		if (header_len < IP4_LEN || total < header_len ||
		    ip[9] != PROTO_TCP || load_be16(ip + 6) & 0x3fff)
			r.failed = true;
		reader_skip(&r, header_len - IP4_LEN);
		return reader_sub(&r, total - header_len);
	}
	if (!ip || ip[0] >> 4 != 6 || ip[6] != PROTO_TCP)
		r.failed = true;
	reader_skip(&r, IP6_LEN - IP4_LEN);
	return reader_sub(&r, ip ? load_be16(ip + 4) : 0);
}

static void put_ip(struct writer *w, const uint8_t *about)
{
	bool v6 = about[0] >> 4 == 6;
	uint8_t *ip = writer_take(w, v6 ? IP6_LEN : IP4_LEN);

	if (!ip)
		return;
	memset(ip, 0, v6 ? IP6_LEN : IP4_LEN);
	if (v6) {
		ip[0] = 0x60;
		store_be16(ip + 4, TCP_LEN);
		ip[6] = PROTO_TCP;
		ip[7] = HOP_LIMIT;
		memcpy(ip + 8, about + 24, 16);
		memcpy(ip + 24, about + 8, 16);
		return;
	}
	ip[0] = 0x45;
	store_be16(ip + 2, IP4_LEN + TCP_LEN);
	store_be16(ip + 6, 0x4000);
	ip[8] = HOP_LIMIT;
	ip[9] = PROTO_TCP;
	memcpy(ip + 12, about + 16, 4);
	memcpy(ip + 16, about + 12, 4);
	csum_ipv4_header(ip, IP4_LEN);
}

/* tcp: the segment that is answered, seg_len bytes with its header. */
static void put_tcp(struct writer *w, const uint8_t *tcp, size_t seg_len)
{
	unsigned header_len = (tcp[12] >> 4) * 4u, flags = tcp[13];
	uint32_t len = seg_len - MIN((size_t)header_len, seg_len) +
		       !!(flags & TCP_SYN) + !!(flags & TCP_FIN);

	writer_bytes(w, tcp + 2, 2);
	writer_bytes(w, tcp, 2);
	if (flags & TCP_ACK) {
		writer_bytes(w, tcp + 8, 4);
		writer_be32(w, 0);
		writer_be16(w, 5 << 12 | TCP_RST);
	} else {
		writer_be32(w, 0);
		writer_be32(w, load_be32(tcp + 4) + len);
		writer_be16(w, 5 << 12 | TCP_RST | TCP_ACK);
	}
	writer_zeros(w, 6); /* window, checksum, urgent pointer */
}

size_t segment_reset_build(const struct segment_packet *packet, uint8_t *room)
{
	const uint8_t *about = packet->frame + ETH_HEADER_LEN;
	struct reader r = find_tcp(packet);
	size_t seg_len = reader_left(&r);
	const uint8_t *tcp = reader_take(&r, TCP_LEN);
	struct writer w;
	uint8_t *ip, *out;
	uint64_t sum;

	if (!tcp || tcp[13] & TCP_RST || packet->frame[0] & 1)
		return 0;
	writer_init(&w, room, SEGMENT_RESET_MAX);
	writer_mac(&w, load_mac(packet->frame + 6));
	writer_mac(&w, load_mac(packet->frame));
	writer_be16(&w, load_be16(packet->frame + 12));
	ip = w.at;
	put_ip(&w, about);
	out = w.at;
	put_tcp(&w, tcp, seg_len);
	if (w.failed)
		return 0;
	sum = about[0] >> 4 == 6 ? csum_pseudo6(ip, PROTO_TCP, TCP_LEN)
				 : csum_pseudo4(ip, PROTO_TCP, TCP_LEN);
	csum_store(out + 16, csum_combine(sum, csum_add(0, out, TCP_LEN)));
	return writer_len(&w);
}

void segment_reset(struct segment *seg, const struct segment_packet *packet)
{
	uint8_t room[SEGMENT_RESET_MAX];
	size_t len = segment_reset_build(packet, room);

	if (len && segment_error_allowed(seg, packet->client.port))
		segment_send(seg, packet->note.in, room, len);
}
