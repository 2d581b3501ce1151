/* A DHCPv4 server, a client that says anything; see dhcp_fixture.h. */
#include "dhcp_fixture.h"

struct dhcp *dhcp;
struct dhcp_config config;
uint64_t now;
uint8_t sent[2048];
size_t sent_len;
struct dhcp_destination sent_to;
unsigned n_changed, n_gone;
static unsigned n_sent;
struct dhcp_lease changed;

static void on_send(const struct dhcp_destination *to, const void *message,
		    size_t len, void *arg)
{
	assert_in_range(len, 300, sizeof(sent));
	memcpy(sent, message, len);
	sent_len = len;
	sent_to = *to;
	n_sent++;
}

static void on_changed(const struct dhcp_lease *lease, bool gone, void *arg)
{
	n_changed++;
	n_gone += gone;
	changed = *lease;
	assert_int_not_equal(lease->state, DHCP_OFFERED);
}

static const struct dhcp_ops ops = { on_send, on_changed };

void dhcp_restart(uint64_t key)
{
	dhcp_destroy(dhcp);
	dhcp = dhcp_create(&config, &(struct hash_key){ key, 2 }, &ops, NULL);
}

int dhcp_setup(void **state)
{
	config = (struct dhcp_config){
		.server = SERVER,
		.prefix_len = 24,
		.first = FIRST,
		.last = FIRST + 9,
		.lease_s = 3600,
		.leases_per_port = 1024,
		.router = SERVER,
		.dns = { SERVER },
		.n_dns = 1,
		.domain = "lab",
	};
	now = 1000;
	n_sent = n_changed = n_gone = 0;
	dhcp = NULL;
	dhcp_restart(1);
	return 0;
}

int dhcp_teardown(void **state)
{
	dhcp_destroy(dhcp);
	return 0;
}

void reconfigure(void)
{
	char *problem = dhcp_config_check(&config);

	assert_null(problem);
	dhcp_configure(dhcp, &config);
}

static void option(struct writer *w, uint8_t code, const void *data, size_t n)
{
	writer_u8(w, code);
	writer_u8(w, n);
	writer_bytes(w, data, n);
}

static void option32(struct writer *w, uint8_t code, uint32_t v)
{
	uint8_t bytes[4];

	store_be32(bytes, v);
	if (v)
		option(w, code, bytes, 4);
}

/* Sends it; returns the type of the answer, 0: none. */
unsigned say(const struct message *m)
{
	struct gateway_client client = { m->mac, m->port };
	uint8_t room[600], size[2], arch[2];
	const uint8_t *type;
	unsigned before = n_sent;
	struct writer w;

	writer_init(&w, room, sizeof(room));
	writer_be32(&w, 0x01010600);
	writer_be32(&w, 0x1234);
	writer_be16(&w, 0);
	writer_be16(&w, m->flags);
	writer_be32(&w, m->ciaddr);
	writer_zeros(&w, 8);
	writer_be32(&w, m->giaddr);
	writer_mac(&w, m->mac);
	writer_zeros(&w, 10 + 192);
	writer_be32(&w, DHCP_COOKIE);
	option(&w, OPTION_TYPE, &(uint8_t){ m->type }, 1);
	option32(&w, OPTION_REQUESTED_IP, m->requested);
	option32(&w, OPTION_SERVER_ID, m->server);
	if (m->id)
		option(&w, OPTION_CLIENT_ID, m->id, strlen(m->id));
	if (m->name)
		option(&w, OPTION_HOSTNAME, m->name, strlen(m->name));
	if (m->parameters)
		option(&w, OPTION_PARAMETERS, m->parameters,
		       strlen(m->parameters));
	store_be16(size, m->max_size);
	if (m->max_size)
		option(&w, OPTION_MAX_SIZE, size, 2);
	store_be16(arch, m->arch);
	if (m->arch)
		option(&w, OPTION_ARCH, arch, 2);
	writer_u8(&w, OPTION_END);
	dhcp_receive(dhcp, &client, room, writer_len(&w), now);
	if (n_sent == before)
		return 0;
	assert_int_equal(answer_option(OPTION_TYPE, &type), 1);
	return *type;
}

/* The option's length in the last answer's options field, 0: none. */
unsigned answer_option(uint8_t code, const uint8_t **data)
{
	size_t at = DHCP_FIXED_LEN + 4;

	while (at < sent_len && sent[at] != OPTION_END) {
		if (sent[at] == code) {
			*data = sent + at + 2;
			return sent[at + 1];
		}
		at += 2 + sent[at + 1];
	}
	return 0;
}

uint32_t answer32(uint8_t code)
{
	const uint8_t *data;

	return answer_option(code, &data) == 4 ? load_be32(data) : 0;
}

uint32_t your_address(void)
{
	return load_be32(sent + 16);
}

uint32_t get_lease(const struct message *as)
{
	struct message m = *as;

	m.type = DHCP_DISCOVER;
	if (say(&m) != DHCP_OFFER)
		return 0;
	m.type = DHCP_REQUEST;
	m.requested = your_address();
	m.server = SERVER;
	assert_int_equal(say(&m), DHCP_ACK);
	assert_int_equal(your_address(), m.requested);
	return m.requested;
}
