/* Decoding of DHCPv4 messages; see dhcp_message.h. */
#include "gateway/dhcp_message.h"

#define BOOTREQUEST    1
#define HTYPE_ETHER    1
#define MAX_SIZE_LEAST 576
#define OVERLOAD_FILE  1
#define OVERLOAD_SNAME 2
#define FQDN_WIRE      0x04 /* RFC 4702 2.1, flag E */

/* What one walk over the option areas gathers. */
struct options {
	struct dhcp_bytes type, overload, requested_ip, server_id, max_size,
		vendor_class, arch;
};

void dhcp_bytes_append(struct dhcp_bytes *to, const uint8_t *data, unsigned len)
{
	unsigned n = MIN(len, (unsigned)DHCP_OPTION_MAX - to->len);

	memcpy(to->bytes + to->len, data, n);
	to->len += n;
}

bool dhcp_option_next(struct reader *area, struct dhcp_raw_option *option)
{
	while (reader_left(area)) {
		option->code = reader_u8(area);
		if (option->code == OPTION_PAD)
			continue;
		if (option->code == OPTION_END)
			return false;
		option->len = reader_u8(area);
		option->data = reader_take(area, option->len);
		return option->data;
	}
	return false;
}

static struct dhcp_bytes *place_of(struct options *o, struct dhcp_message *m,
				   uint8_t code)
{
	switch (code) {
	case OPTION_TYPE:
		return &o->type;
	case OPTION_OVERLOAD:
		return &o->overload;
	case OPTION_REQUESTED_IP:
		return &o->requested_ip;
	case OPTION_SERVER_ID:
		return &o->server_id;
	case OPTION_MAX_SIZE:
		return &o->max_size;
	case OPTION_VENDOR_CLASS:
		return &o->vendor_class;
	case OPTION_ARCH:
		return &o->arch;
	case OPTION_CLIENT_ID:
		return &m->client_id;
	case OPTION_HOSTNAME:
		return &m->hostname;
	case OPTION_FQDN:
		return &m->fqdn;
	case OPTION_PARAMETERS:
		m->has_parameters = true;
		return &m->parameters;
	default:
		return NULL;
	}
}

static bool read_area(struct reader *r, struct options *o,
		      struct dhcp_message *m)
{
	struct dhcp_raw_option raw;

	while (dhcp_option_next(r, &raw)) {
		struct dhcp_bytes *place = place_of(o, m, raw.code);

		if (place)
			dhcp_bytes_append(place, raw.data, raw.len);
	}
	return !r->failed;
}

static uint32_t ip_of(const struct dhcp_bytes *option)
{
	return option->len == 4 ? load_be32(option->bytes) : 0;
}

static bool take_options(struct dhcp_message *m, const struct options *o)
{
	static const char pxe[] = "PXEClient";

	if (o->type.len != 1 || o->type.bytes[0] < DHCP_DISCOVER ||
	    o->type.bytes[0] > DHCP_INFORM || o->type.bytes[0] == DHCP_OFFER ||
	    o->type.bytes[0] == DHCP_ACK || o->type.bytes[0] == DHCP_NAK)
		return false;
	m->type = o->type.bytes[0];
	m->requested_ip = ip_of(&o->requested_ip);
	m->server_id = ip_of(&o->server_id);
	m->max_size = MAX_SIZE_LEAST;
	if (o->max_size.len == 2)
		m->max_size = MAX(load_be16(o->max_size.bytes),
				  (uint16_t)MAX_SIZE_LEAST);
	m->arch = o->arch.len >= 2 ? load_be16(o->arch.bytes) : -1;
	m->pxe = o->vendor_class.len >= sizeof(pxe) - 1 &&
		 !memcmp(o->vendor_class.bytes, pxe, sizeof(pxe) - 1);
	return m->client_id.len != 1; /* RFC 2132 9.14: at least 2 */
}

bool dhcp_message_parse(struct dhcp_message *m, const void *data, size_t len)
{
	struct options o;
	struct reader r, sname, file;
	uint8_t op, htype, hlen;
	unsigned overload;

	memset(m, 0, sizeof(*m));
	memset(&o, 0, sizeof(o));
	reader_init(&r, data, len);
	op = reader_u8(&r);
	htype = reader_u8(&r);
	hlen = reader_u8(&r);
	reader_skip(&r, 1);
	m->xid = reader_be32(&r);
	m->secs = reader_be16(&r);
	m->flags = reader_be16(&r);
	m->ciaddr = reader_be32(&r);
	reader_skip(&r, 8);
	m->giaddr = reader_be32(&r);
	reader_copy(&r, m->chaddr, sizeof(m->chaddr));
	m->mac = load_mac(m->chaddr);
	sname = reader_sub(&r, DHCP_SNAME_LEN);
	file = reader_sub(&r, DHCP_FILE_LEN);
	if (reader_be32(&r) != DHCP_COOKIE || r.failed || op != BOOTREQUEST ||
	    htype != HTYPE_ETHER || hlen != 6 || !read_area(&r, &o, m))
		return false;
	overload = o.overload.len == 1 ? o.overload.bytes[0] : 0;
	if (overload & OVERLOAD_FILE && !read_area(&file, &o, m))
		return false;
	if (overload & OVERLOAD_SNAME && !read_area(&sname, &o, m))
		return false;
	return take_options(m, &o);
}

/* Names by which software finds a service that the client is not. */
static bool is_reserved(const char *name)
{
	static const char *const reserved[] = { "localhost", "wpad", "isatap",
						"gateway" };

	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++)
		if (!strcmp(name, reserved[i]))
			return true;
	return false;
}

static void sanitise(const uint8_t *text, size_t len,
		     char name[DHCP_LABEL_MAX + 1])
{
	unsigned n = 0;

	for (size_t i = 0; i < len && text[i] != '.' && text[i]; i++) {
		uint8_t c = text[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		else if (c == '_' || c == ' ')
			c = '-';
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    !(c == '-' && n))
			continue;
		if (n < DHCP_LABEL_MAX)
			name[n++] = c;
	}
	while (n && name[n - 1] == '-')
		n--;
	name[n] = '\0';
	if (is_reserved(name))
		name[0] = '\0';
}

void dhcp_message_hostname(const struct dhcp_message *m,
			   char name[DHCP_LABEL_MAX + 1])
{
	const struct dhcp_bytes *fqdn = &m->fqdn;

	name[0] = '\0';
	if (fqdn->len > 3 && !(fqdn->bytes[0] & FQDN_WIRE)) {
		sanitise(fqdn->bytes + 3, fqdn->len - 3, name);
	} else if (fqdn->len > 4) {
		size_t label = fqdn->bytes[3];

		sanitise(fqdn->bytes + 4, MIN(label, fqdn->len - 4u), name);
	}
	if (!name[0])
		sanitise(m->hostname.bytes, m->hostname.len, name);
}
