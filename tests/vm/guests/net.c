/* Orders for network cards (virtio 1.2, 5.1): ARP and ICMP echo, either end. */
#include "virtio.h"

enum {
	NET_F_MAC = 5,
	NET_F_STATUS = 16,
	HEADER = 12,
	BUFFER = 2048,
	N_BUFFERS = 16,
	ETHER_TYPE = 12,
	PAYLOAD = 14,
	ARP_LENGTH = PAYLOAD + 28,
};

struct card {
	struct virtio virtio;
	struct ring *rx, *tx;
	uint8_t mac[6];
	uint32_t ip;
	uint8_t *in[N_BUFFERS], *out[N_BUFFERS];
	unsigned int under_way; /* of out */
	bool poll;		/* no sleep, which leaves the guest */
};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static uint32_t parse_ip(const char *text)
{
	uint32_t ip = 0;

	for (unsigned int i = 0; i < 4; i++) {
		ip = ip << 8 | (uint8_t)parse_number(text);
		while (*text >= '0' && *text <= '9')
			text++;
		text += *text == '.';
	}
	return ip;
}

static uint16_t checksum(const uint8_t *data, uint32_t length)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += get16(data + i);
	if (length & 1)
		sum += data[length - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void give_buffer(struct card *card, uint16_t id)
{
	ring_add(card->rx, id, &(struct buffer){ card->in[id], BUFFER, true },
		 1);
}

static void open_card(struct card *card)
{
	const char *ip = argument("ip");

	memset(card, 0, sizeof(*card));
	virtio_of_order(&card->virtio, VIRTIO_NET);
	virtio_negotiate(&card->virtio, 1 << NET_F_MAC | 1 << NET_F_STATUS);
	CHECK(has(&card->virtio, NET_F_MAC), "no MAC address");
	for (unsigned int i = 0; i < 6; i++)
		card->mac[i] = read_uint8_t(card->virtio.config + i);
	card->ip = ip ? parse_ip(ip) : 0;
	card->rx = virtio_ring(&card->virtio, 0, 64, 1);
	card->tx = virtio_ring(&card->virtio, 1, 64, 2);
	virtio_ready(&card->virtio);
	for (uint16_t i = 0; i < N_BUFFERS; i++) {
		card->in[i] = allocate(BUFFER, 64);
		card->out[i] = allocate(BUFFER, 64);
		give_buffer(card, i);
	}
	ring_kick(card->rx);
	print("card %02x:%02x:%02x:%02x:%02x:%02x features %lx\n", card->mac[0],
	      card->mac[1], card->mac[2], card->mac[3], card->mac[4],
	      card->mac[5], card->virtio.features);
}

/* A frame to fill, behind its header. */
static uint8_t *new_frame(struct card *card, uint16_t *id)
{
	uint32_t written;

	if (card->under_way < N_BUFFERS) {
		*id = (uint16_t)card->under_way++;
	} else {
		while (card->poll && !ring_get(card->tx, id, &written))
			__asm__ volatile("pause");
		if (!card->poll)
			ring_wait(card->tx, id, &written);
		CHECK(*id < N_BUFFERS, "frame %u came back", *id);
	}
	memset(card->out[*id], 0, HEADER);
	return card->out[*id] + HEADER;
}

static void send(struct card *card, uint16_t id, uint32_t length)
{
	struct buffer parts[2] = {
		{ card->out[id], HEADER, false },
		{ card->out[id] + HEADER, length < 60 ? 60 : length, false },
	};

	ring_add(card->tx, id, parts, 2);
	ring_kick(card->tx);
}

static void ether(uint8_t *frame, const uint8_t *to, const uint8_t *from,
		  uint32_t type)
{
	uint8_t address[6];

	memcpy(address, to, 6);
	memset(frame, 0, 60);
	memcpy(frame, address, 6);
	memcpy(frame + 6, from, 6);
	put16(frame + ETHER_TYPE, type);
}

static void send_arp(struct card *card, uint32_t operation, const uint8_t *to,
		     uint32_t to_ip)
{
	uint16_t id;
	uint8_t *frame = new_frame(card, &id), *arp = frame + PAYLOAD;

	ether(frame, to, card->mac, 0x0806);
	put32(arp, 1 << 16 | 0x0800);
	put32(arp + 4, 0x0604 << 16 | operation);
	memcpy(arp + 8, card->mac, 6);
	put32(arp + 14, card->ip);
	if (operation == 2)
		memcpy(arp + 18, to, 6);
	put32(arp + 24, to_ip);
	send(card, id, ARP_LENGTH);
}

static void send_echo(struct card *card, const uint8_t *to, uint32_t to_ip,
		      uint32_t sequence, uint32_t size)
{
	uint16_t id;
	uint8_t *frame = new_frame(card, &id), *ip = frame + PAYLOAD;
	uint8_t *icmp = ip + 20;

	ether(frame, to, card->mac, 0x0800);
	memset(ip, 0, 28);
	put16(ip, 0x4500);
	put16(ip + 2, 28 + size);
	ip[8] = 64;
	ip[9] = 1;
	put32(ip + 12, card->ip);
	put32(ip + 16, to_ip);
	put16(ip + 10, checksum(ip, 20));
	icmp[0] = 8;
	put16(icmp + 6, sequence);
	for (uint32_t i = 0; i < size; i++)
		icmp[8 + i] = (uint8_t)(sequence + i);
	put16(icmp + 2, checksum(icmp, 8 + size));
	send(card, id, PAYLOAD + 28 + size);
}

static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };

/* What was asked for, and answers to that. */
struct traffic {
	struct card card;
	uint64_t echoes;	/* asked by others and answered */
	uint64_t replies;	/* to ours */
	uint64_t frames, bytes; /* all that arrived */
	uint8_t peer[6];
	uint32_t peer_ip;
	bool has_peer, bad;
};

static void answer_echo(struct card *card, const uint8_t *in, uint32_t length)
{
	uint16_t id;
	uint8_t *frame = new_frame(card, &id), *ip = frame + PAYLOAD;
	uint8_t *icmp = ip + 20;

	memcpy(frame, in, length);
	memcpy(frame, in + 6, 6);
	memcpy(frame + 6, card->mac, 6);
	put32(ip + 12, card->ip);
	memcpy(ip + 16, in + PAYLOAD + 12, 4);
	icmp[0] = 0;
	put16(icmp + 2, 0);
	put16(icmp + 2, checksum(icmp, get16(ip + 2) - 20));
	send(card, id, length);
}

static void take_frame(struct traffic *t, const uint8_t *in, uint32_t length)
{
	const uint8_t *body = in + PAYLOAD;

	t->frames++;
	t->bytes += length;
	if (length < ARP_LENGTH)
		return;
	if (get16(in + ETHER_TYPE) == 0x0806 &&
	    get32(body + 24) == t->card.ip) {
		if (get16(body + 6) == 1)
			send_arp(&t->card, 2, body + 8, get32(body + 14));
		if (get32(body + 14) == t->peer_ip) {
			memcpy(t->peer, body + 8, 6);
			t->has_peer = true;
		}
	}
	if (get16(in + ETHER_TYPE) != 0x0800 || body[0] != 0x45 ||
	    body[9] != 1 || get32(body + 16) != t->card.ip)
		return;
	if (get16(body + 2) < 28 || get16(body + 2) + PAYLOAD > length ||
	    checksum(body + 20, get16(body + 2) - 20)) {
		t->bad = true;
	} else if (body[20] == 8) {
		answer_echo(&t->card, in, length);
		t->echoes++;
	} else if (body[20] == 0) {
		t->replies++;
	}
}

static bool take_frames(struct traffic *t)
{
	uint32_t written;
	uint16_t id;
	bool any = false;

	while (ring_get(t->card.rx, &id, &written)) {
		CHECK(id < N_BUFFERS && written > HEADER && written <= BUFFER,
		      "buffer %u with %u bytes", id, written);
		take_frame(t, t->card.in[id] + HEADER, written - HEADER);
		give_buffer(&t->card, id);
		ring_kick(t->card.rx);
		any = true;
	}
	return any;
}

static bool got_frames(void *aux)
{
	return take_frames(aux);
}

/* answer,ip=A[,count=N]: until so many echoes were answered. */
static void run_answer(void)
{
	static struct traffic t;
	uint64_t count = number_argument("count", 0);

	memset(&t, 0, sizeof(t));
	open_card(&t.card);
	print("answering\n");
	while (!count || t.echoes < count)
		wait_for(got_frames, &t, 1000);
	CHECK(!t.bad, "a damaged frame");
	print("answered %lu\n", t.echoes);
	/* The last answer is on its way. */
	wait_ms(100);
	virtio_reset(&t.card.virtio);
}

static bool has_peer(void *aux)
{
	struct traffic *t = aux;

	take_frames(t);
	return t->has_peer;
}

static bool has_reply(void *aux)
{
	struct traffic *t = aux;
	uint64_t before = t->replies;

	take_frames(t);
	return t->replies != before;
}

/* ping,ip=A,to=B[,count=N][,size=N][,silent]: silent: nobody must answer. */
static void run_ping(void)
{
	static struct traffic t;
	uint64_t count = number_argument("count", 3);
	uint32_t size = (uint32_t)number_argument("size", 56);
	const char *to = argument("to");

	memset(&t, 0, sizeof(t));
	CHECK(to, "to whom?");
	t.peer_ip = parse_ip(to);
	open_card(&t.card);
	for (unsigned int i = 0; i < 20 && !t.has_peer; i++) {
		send_arp(&t.card, 1, broadcast, t.peer_ip);
		if (wait_for(has_peer, &t, argument("silent") ? 150 : 1000))
			break;
	}
	if (argument("silent")) {
		CHECK(!t.has_peer, "%s is there", to);
		return;
	}
	CHECK(t.has_peer, "%s is not there", to);
	for (uint32_t i = 0; i < count; i++) {
		send_echo(&t.card, t.peer, t.peer_ip, i, size);
		CHECK(wait_for(has_reply, &t, 5000), "no reply to echo %u", i);
	}
	CHECK(!t.bad, "a damaged frame");
	print("%lu replies\n", t.replies);
	virtio_reset(&t.card.virtio);
}

/* send[,count=N][,size=N][,poll]: frames to nobody, as fast as can be. */
static void run_send(void)
{
	static struct card card;
	uint64_t count = number_argument("count", 1000);
	uint32_t size = (uint32_t)number_argument("size", 1514);
	uint64_t start;
	uint32_t written;
	uint16_t id;

	open_card(&card);
	card.poll = argument("poll");
	start = microseconds();
	for (uint64_t i = 0; i < count; i++) {
		uint8_t *frame = new_frame(&card, &id);

		ether(frame, broadcast, card.mac, 0x88b5);
		put32(frame + PAYLOAD, (uint32_t)i);
		send(&card, id, size);
	}
	for (uint64_t i = 0; i < (count < N_BUFFERS ? count : N_BUFFERS); i++)
		ring_wait(card.tx, &id, &written);
	print("sent %8lu frames in %8lu us\n", count, microseconds() - start);
	virtio_reset(&card.virtio);
}

struct link {
	struct virtio *card;
	bool up;
};

static bool link_is(void *aux)
{
	struct link *link = aux;

	return (read_uint16_t(link->card->config + 6) & 1) == link->up;
}

/* link,up or link,down: waits for it. */
static void run_link(void)
{
	static struct card card;
	struct link link = { &card.virtio, argument("up") };

	open_card(&card);
	CHECK(has(&card.virtio, NET_F_STATUS), "no link status");
	print("waiting for the link\n");
	CHECK(wait_for(link_is, &link, 20000), "the link does not change");
	virtio_reset(&card.virtio);
}

const struct order orders_net[] = {
	{ "answer", run_answer }, { "ping", run_ping }, { "send", run_send },
	{ "link", run_link },	  { NULL, NULL },
};
