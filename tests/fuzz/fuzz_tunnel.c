/*
 * Any bytes as what an underlay hands in, alone or as a train: all of it is
 * taken, each inner frame lies within what came, is fit to be sent on, and into
 * a tunnel again; and the short way for plain packets does what the long one
 * does.
 */
#include "fuzz_input.h"
#include "packet/gso.h"
#include "packet/parse.h"
#include "tunnel/tunnel_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_PACKETS 3

static uint8_t seen[2][4 << 20];
static size_t n_seen[2];
static struct tunnel *tunnels[4], *tunnel; /* of which that is one */
static struct tunnel_scratch *scratch[2];

static void check_offload(const struct packet *p)
{
	const struct packet_offload *o = &p->offload;
	struct gso_layout l;

	if (o->csum_needed) {
		MUST(o->csum_start >= packet_l2_len(p, FLOW_TAGS_MAX));
		MUST(o->csum_start + o->csum_offset + 2u <= p->len);
	}
	if (!o->gso)
		return;
	MUST(o->csum_needed && gso_layout_packet(p, o->gso, &l));
	MUST(gso_fits(&l, p->len, o->gso_size));
	MUST(l.l4 == o->csum_start && l.csum_offset == o->csum_offset);
}

static void note(unsigned k, const void *bytes, size_t n)
{
	MUST(n_seen[k] + n <= sizeof(seen[k]));
	memcpy(seen[k] + n_seen[k], bytes, n);
	n_seen[k] += n;
}

static void note_packet(unsigned k, const struct packet *p)
{
	static uint8_t whole[PACKET_LEN_MAX + 300];
	uint32_t n = packet_read(p, 0, whole, sizeof(whole));

	MUST(n == p->len);
	check_offload(p);
	note(k, whole, n);
	note(k, &p->offload.gso_size, sizeof(p->offload.gso_size));
	note(k, &p->offload.csum_needed, sizeof(p->offload.csum_needed));
	note(k, &p->offload.csum_valid, sizeof(p->offload.csum_valid));
}

/* On the way back, by a port of one VNI. */
static void send_back(unsigned k, struct packet *first, unsigned n, bool shared)
{
	for (unsigned i = 0; i < n;) {
		struct packet *list[8];
		struct tunnel_sent sent;
		unsigned some = MIN(n - i, 8u);

		for (unsigned j = 0; j < some; j++)
			list[j] = &first[i + j];
		tunnel_encap(tunnel, 0, list, some, shared, scratch[k], &sent);
		MUST(sent.n_taken && sent.n_taken <= some);
		for (unsigned j = 0; j < sent.n_outer; j++)
			note_packet(k, sent.outer[j]);
		note(k, &sent.n_failed, sizeof(sent.n_failed));
		i += sent.n_taken;
	}
}

static void take(unsigned k, const struct tunnel_demux *d,
		 struct packet *const list[], bool shared)
{
	struct tunnel_received r;
	unsigned i = 0;

	for (; i < N_PACKETS; i += r.n_taken) {
		tunnel_decap(d, list + i, N_PACKETS - i, shared, scratch[k],
			     &r);
		MUST(r.n_taken && r.n_taken <= N_PACKETS - i);
		for (unsigned j = 0; j < r.n_runs; j++) {
			const struct tunnel_run *run = &r.runs[j];

			MUST(run->n);
			note(k, &run->remote, sizeof(run->remote));
			note(k, &run->vid, sizeof(run->vid));
			for (unsigned m = 0; m < run->n; m++) {
				MUST(run->first[m].header_len >=
				     ETH_HEADER_LEN);
				note_packet(k, &run->first[m]);
			}
			send_back(k, run->first, run->n, shared);
		}
		for (unsigned j = 0; j < r.n_failed; j++)
			note(k, &r.failed[j].reason,
			     sizeof(r.failed[j].reason));
		note(k, &r.n_others, sizeof(r.n_others));
	}
}

static struct tunnel_demux *make_demux(const uint8_t how[16])
{
	static const uint8_t locals[][16] = {
		{ 192, 0, 2, 2 }, { 0x20, 1, 0xd, 0xb8, [15] = 2 }
	};
	struct tunnel_network networks[] = {
		{ .vni = 0x123456,
		  .vid = how[0] & 1 ? 7 : 0,
		  .keep_tag = how[0] & 2,
		  .takes_unknown = how[0] & 4 },
		{ .vni = 1, .vid = 9, .takes_unknown = true },
	};
	struct tunnel_peer peer = { .ip = { 192, 0, 2, 1 } };
	struct tunnel_demux_config c = {
		.ip_version = how[0] & 8 ? 6 : 4,
		.locals = &locals[how[0] & 8 ? 1 : 0],
		.n_locals = how[0] & 16 ? 1 : 0,
		.vid_beside = how[1] & 64,
		.rules = { .csum = how[1] % 3,
			   .zero_csum6 = how[1] & 16,
			   .refuse_reserved = how[1] & 32 },
		.networks = networks,
		.n_networks = 2,
		.peers = &peer,
		.n_peers = 1,
	};

	return tunnel_demux_create(&c);
}

static void prepare(void)
{
	struct tunnel_remote remote = { .outer = { .ip_version = 4, .ttl = 64 },
					.resolved = true };
	struct tunnel_config c = { .vni = 5,
				   .remotes = &remote,
				   .n_remotes = 1 };

	/* IPv6; with checksums that are left to another stage. */
	for (unsigned i = 0; i < 4; i++) {
		remote.outer.ip_version = i & 1 ? 6 : 4;
		remote.outer.udp_csum =
			i & 2 ? VXLAN_CSUM_LEFT : VXLAN_CSUM_ZERO;
		MUST(!tunnel_create(&c, &tunnels[i], NULL));
	}
	scratch[0] = tunnel_scratch_create();
	scratch[1] = tunnel_scratch_create();
	scratch[1]->avx2 = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tunnel_demux *d;
	uint8_t how[16];

	if (!tunnels[0])
		prepare();
	fuzz_take(&data, &size, how, sizeof(how));
	d = make_demux(how);
	tunnel = tunnels[how[9] & 3];
	for (unsigned k = 0; k < 2; k++) {
		struct fuzz_packet f[N_PACKETS];
		struct packet *list[N_PACKETS];

		n_seen[k] = 0;
		scratch[k]->out.ip_id = 0;
		for (unsigned i = 0; i < N_PACKETS; i++) {
			struct packet *p = &f[i].p;

			fuzz_packet_init(&f[i], data, size, i == 1 ? how[3] : 0,
					 how[2] & 1);
			packet_pull(p, how[4] & 127);
			if (how[2] & 2 << i)
				p->offload.gso = PACKET_GSO_UDP;
			p->offload.gso_size = how[5] | how[6] << 8;
			p->offload.csum_valid = how[2] & 16;
			p->offload.csum_needed = how[2] & 32;
			p->offload.csum_start = how[7];
			p->offload.csum_offset = how[8];
			list[i] = p;
		}
		take(k, d, list, how[2] & 64);
		for (unsigned i = 0; i < N_PACKETS; i++)
			fuzz_packet_fini(&f[i]);
	}
	MUST(n_seen[0] == n_seen[1] && !memcmp(seen[0], seen[1], n_seen[0]));
	tunnel_demux_free(d);
	return 0;
}
