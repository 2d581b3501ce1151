/*
 * Segment sizes: libslirp takes the MSS that a machine offers as the size of
 * what it sends. So a SYN to it offers the largest, and what it then sends in
 * pieces of 32 KB leaves as packets that are still to be segmented to the
 * machine's real MSS.
 */
#include "port/hostnet_headers.h"

#include "packet/csum.h"

#define OPTION_END     0
#define OPTION_NOP     1
#define OPTION_MSS     2
#define OPTION_MSS_LEN 4

/* The value of the MSS option of a whole TCP header; NULL: it has none. */
static uint8_t *find_mss(uint8_t *tcp, unsigned header_len)
{
	unsigned at = TCP_LEN;

	while (at < header_len && tcp[at] != OPTION_END) {
		unsigned len = 1;

		if (tcp[at] != OPTION_NOP) {
			if (at + 1 >= header_len || tcp[at + 1] < 2)
				return NULL;
			len = tcp[at + 1];
		}
		if (at + len > header_len)
			return NULL;
		if (tcp[at] == OPTION_MSS && len == OPTION_MSS_LEN)
			return tcp + at + 2;
		at += len;
	}
	return NULL;
}

static void set_mss(uint8_t *tcp, unsigned header_len, uint8_t *value,
		    uint16_t mss)
{
	uint64_t before = csum_add(0, tcp, header_len);

	store_be16(value, mss);
	hostnet_mend_csum(tcp + 16, before, csum_add(0, tcp, header_len));
}

static uint16_t mss_of_mtu(const struct hostnet_net *net, unsigned version)
{
	return net->mtu - TCP_LEN - (version == 4 ? IP4_LEN : IP6_LEN);
}

static uint64_t connection_tag(const struct hostnet_memory *memory,
			       unsigned version, const uint8_t *machine,
			       uint16_t machine_port, const uint8_t *peer,
			       uint16_t peer_port)
{
	unsigned n = address_len(version);
	uint64_t hash = hostnet_mix_bytes(memory->seed, machine, n);

	hash = hostnet_mix_bytes(hash, peer, n);
	return hostnet_mix(hash, (uint64_t)machine_port << 16 | peer_port);
}

/*
 * Sizes as the MTU has them are not kept; where two connections meet in one
 * place, the older one's segments become as long as the MTU allows.
 */
static void remember_mss(const struct hostnet_net *net,
			 struct hostnet_memory *memory,
			 const struct hostnet_packet *p, uint16_t mss)
{
	uint64_t tag = connection_tag(memory, p->version, p->src, p->src_port,
				      p->dst, p->dst_port);
	uint32_t place = tag % HOSTNET_SIZES;

	if (mss < mss_of_mtu(net, p->version)) {
		memory->sizes[place].tag = tag >> 32;
		memory->sizes[place].size = MAX(mss, 48);
	} else if (memory->sizes[place].tag == tag >> 32) {
		memory->sizes[place].size = 0;
	}
}

uint16_t hostnet_segment_size(const struct hostnet_net *net,
			      const struct hostnet_memory *memory,
			      const struct hostnet_packet *p)
{
	uint64_t tag = connection_tag(memory, p->version, p->dst, p->dst_port,
				      p->src, p->src_port);
	uint32_t place = tag % HOSTNET_SIZES;

	if (memory->sizes[place].size && memory->sizes[place].tag == tag >> 32)
		return memory->sizes[place].size;
	return mss_of_mtu(net, p->version);
}

/* A SYN to libslirp. */
void hostnet_offer_most(const struct hostnet_net *net,
			struct hostnet_memory *memory, uint8_t *frame,
			const struct hostnet_packet *p)
{
	uint8_t *tcp = frame + p->l4;
	unsigned header_len = (tcp[12] >> 4) * 4;
	uint8_t *value = find_mss(tcp, header_len);
	uint16_t mss = p->version == 4 ? MSS_DEFAULT4 : MSS_DEFAULT6;

	if (value) {
		mss = load_be16(value);
		set_mss(tcp, header_len, value,
			HOSTNET_IP_MAX - TCP_LEN -
				(p->version == 4 ? IP4_LEN : IP6_LEN));
	}
	remember_mss(net, memory, p, mss);
}
void hostnet_offer_mtu(const struct hostnet_net *net, uint8_t *frame,
		       const struct hostnet_packet *p)
{
	uint8_t *tcp = frame + p->l4;
	uint16_t most = mss_of_mtu(net, p->version);
	unsigned header_len = (tcp[12] >> 4) * 4;
	uint8_t *value = find_mss(tcp, header_len);

	if (value && load_be16(value) > most)
		set_mss(tcp, header_len, value, most);
}
