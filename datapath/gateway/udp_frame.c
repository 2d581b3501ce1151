/* UDP in Ethernet frames; see udp_frame.h. */
#include "gateway/udp_frame.h"

#include "gateway/writer.h"
#include "packet/csum.h"
#include "packet/reader.h"

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd
#define PROTOCOL_UDP  17
#define UDP_LEN	      8
#define TTL	      64
#define FRAME_MIN     60

static bool parse_ip4(struct udp_datagram *d, struct reader *r,
		      struct reader *udp, uint64_t *pseudo)
{
	const uint8_t *ip = r->at;
	unsigned header_len, total;

	if (reader_left(r) < 20)
		return false;
	header_len = (ip[0] & 15) * 4;
	total = load_be16(ip + 2);
	if (ip[0] >> 4 != 4 || header_len < 20 || total < header_len ||
	    !reader_skip(r, header_len) || ip[9] != PROTOCOL_UDP ||
	    load_be16(ip + 6) & 0x3fff ||
	    csum_fold(csum_add(0, ip, header_len)) != 0xffff)
		return false;
	d->from.ip = ip_address_of(ip + 12, 4);
	d->to.ip = ip_address_of(ip + 16, 4);
	*udp = reader_sub(r, total - header_len);
	*pseudo = csum_pseudo4(ip, PROTOCOL_UDP, total - header_len);
	return true;
}

static bool parse_ip6(struct udp_datagram *d, struct reader *r,
		      struct reader *udp, uint64_t *pseudo)
{
	const uint8_t *ip = reader_take(r, 40);

	if (!ip || ip[0] >> 4 != 6 || ip[6] != PROTOCOL_UDP)
		return false;
	d->from.ip = ip_address_of(ip + 8, 16);
	d->to.ip = ip_address_of(ip + 24, 16);
	*udp = reader_sub(r, load_be16(ip + 4));
	*pseudo = csum_pseudo6(ip, PROTOCOL_UDP, load_be16(ip + 4));
	return true;
}

bool udp_frame_parse(struct udp_datagram *d, const void *frame, size_t len)
{
	struct reader r, udp;
	uint64_t pseudo;
	const uint8_t *header;
	uint16_t type, udp_len;

	memset(d, 0, sizeof(*d));
	reader_init(&r, frame, len);
	d->to.mac = reader_mac(&r);
	d->from.mac = reader_mac(&r);
	type = reader_be16(&r);
	if (r.failed ||
	    !(type == ETHERTYPE_IP4   ? parse_ip4(d, &r, &udp, &pseudo)
	      : type == ETHERTYPE_IP6 ? parse_ip6(d, &r, &udp, &pseudo)
				      : false))
		return false;
	header = reader_take(&udp, UDP_LEN);
	if (!header)
		return false;
	d->from.port = load_be16(header);
	d->to.port = load_be16(header + 2);
	udp_len = load_be16(header + 4);
	/* what IP has behind the datagram's end would be summed, too */
	if (udp_len != UDP_LEN + reader_left(&udp))
		return false;
	/* RFC 768: no checksum; RFC 8200 8.1: there must be one */
	if (!load_be16(header + 6)) {
		if (type == ETHERTYPE_IP6)
			return false;
	} else if (csum_fold(csum_combine(
			   pseudo, csum_add(0, header, udp_len))) != 0xffff) {
		return false;
	}
	d->payload = udp.at;
	d->len = udp_len - UDP_LEN;
	return true;
}

static uint8_t *write_ip4(struct writer *w, const struct udp_datagram *d)
{
	uint8_t *ip = w->at;

	writer_be16(w, 0x4500);
	writer_be16(w, 20 + UDP_LEN + d->len);
	writer_be32(w, 0); /* no id: it may not be fragmented (RFC 6864) */
	writer_u8(w, TTL);
	writer_u8(w, PROTOCOL_UDP);
	writer_be16(w, 0);
	writer_bytes(w, d->from.ip.bytes, 4);
	writer_bytes(w, d->to.ip.bytes, 4);
	if (w->failed)
		return NULL;
	ip[6] = 0x40;
	csum_ipv4_header(ip, 20);
	return ip;
}

static uint8_t *write_ip6(struct writer *w, const struct udp_datagram *d)
{
	uint8_t *ip = w->at;

	writer_be32(w, 0x60000000);
	writer_be16(w, UDP_LEN + d->len);
	writer_u8(w, PROTOCOL_UDP);
	writer_u8(w, TTL);
	writer_bytes(w, d->from.ip.bytes, 16);
	writer_bytes(w, d->to.ip.bytes, 16);
	return w->failed ? NULL : ip;
}

size_t udp_frame_build(const struct udp_datagram *d, void *room, size_t size)
{
	bool is_v4 = d->from.ip.len == 4;
	uint8_t *ip, *udp;
	uint64_t pseudo;
	struct writer w;

	if (d->len > 65535 - 20 - UDP_LEN)
		return 0;
	writer_init(&w, room, size);
	writer_mac(&w, d->to.mac);
	writer_mac(&w, d->from.mac);
	writer_be16(&w, is_v4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
	ip = is_v4 ? write_ip4(&w, d) : write_ip6(&w, d);
	udp = w.at;
	writer_be16(&w, d->from.port);
	writer_be16(&w, d->to.port);
	writer_be16(&w, UDP_LEN + d->len);
	writer_be16(&w, 0);
	writer_bytes(&w, d->payload, d->len);
	if (!ip || w.failed)
		return 0;
	pseudo = is_v4 ? csum_pseudo4(ip, PROTOCOL_UDP, UDP_LEN + d->len)
		       : csum_pseudo6(ip, PROTOCOL_UDP, UDP_LEN + d->len);
	csum_store(udp + 6,
		   csum_combine(pseudo, csum_add(0, udp, UDP_LEN + d->len)));
	if (writer_len(&w) < FRAME_MIN)
		writer_zeros(&w, FRAME_MIN - writer_len(&w));
	return w.failed ? 0 : writer_len(&w);
}
