/* Pings of the gateway's IPv4 address (RFC 792, RFC 1122 3.2.2.6). */
#include "gateway/station_internal.h"

#include "packet/csum.h"

#define ECHO_REQUEST 8
#define TTL	     64

static void answer(struct station *s, const struct arrival *a,
		   const uint8_t *message, size_t len)
{
	struct writer w;
	uint8_t *ip, *icmp;

	writer_init(&w, s->out, sizeof(s->out));
	writer_mac(&w, a->client->mac);
	writer_mac(&w, s->config.mac);
	writer_be16(&w, ETHERTYPE_IP4);
	ip = writer_take(&w, IP4_HEADER_LEN);
	icmp = writer_take(&w, len);
	if (!ip || !icmp)
		return;
	memcpy(ip, a->ip, IP4_HEADER_LEN);
	ip[8] = TTL;
	memcpy(ip + 12, a->ip + 16, 4);
	memcpy(ip + 16, a->ip + 12, 4);
	csum_ipv4_header(ip, IP4_HEADER_LEN);
	memcpy(icmp, message, len);
	icmp[0] = 0;
	icmp[2] = icmp[3] = 0;
	csum_store(icmp + 2, csum_add(0, icmp, len));
	if (writer_len(&w) < FRAME_MIN)
		writer_zeros(&w, FRAME_MIN - writer_len(&w));
	s->counters.echo_answers++;
	s->ops.send(s->out, writer_len(&w), s->ops_arg);
}

bool station_icmp4(struct station *s, struct arrival *a)
{
	size_t len = reader_left(&a->payload);
	const uint8_t *message = a->payload.at; /* NULL: cut short, len is 0 */
	uint32_t from = load_be32(a->ip + 12);

	if (len < 8 || csum_fold(csum_add(0, message, len)) != 0xffff) {
		s->counters.bad++;
		return true;
	}
	if (message[0] != ECHO_REQUEST || message[1])
		return false;
	/* RFC 1122 3.2.2: nothing goes to what is no single host */
	if (a->to_mac != s->config.mac || from >> 28 >= 14 || !(from >> 24) ||
	    station_has4(s, from)) {
		s->counters.bad++;
		return true;
	}
	answer(s, a, message, len);
	return true;
}
