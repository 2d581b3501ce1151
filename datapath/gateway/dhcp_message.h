/*
 * A DHCPv4 message of a client, decoded (RFC 2131 2, RFC 2132), with options
 * that are split (RFC 3396) or lie in file and sname (option overload) as one.
 */
#ifndef GATEWAY_DHCP_MESSAGE_H
#define GATEWAY_DHCP_MESSAGE_H

#include "packet/reader.h"

#define DHCP_FILE_LEN	    128
#define DHCP_SNAME_LEN	    64
#define DHCP_FIXED_LEN	    236
#define DHCP_COOKIE	    0x63825363
#define DHCP_FLAG_BROADCAST 0x8000
#define DHCP_OPTION_MAX	    255

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM,
};

enum dhcp_option {
	OPTION_PAD = 0,
	OPTION_MASK = 1,
	OPTION_ROUTER = 3,
	OPTION_DNS = 6,
	OPTION_HOSTNAME = 12,
	OPTION_DOMAIN = 15,
	OPTION_MTU = 26,
	OPTION_BROADCAST = 28,
	OPTION_NTP = 42,
	OPTION_REQUESTED_IP = 50,
	OPTION_LEASE_TIME = 51,
	OPTION_OVERLOAD = 52,
	OPTION_TYPE = 53,
	OPTION_SERVER_ID = 54,
	OPTION_PARAMETERS = 55,
	OPTION_MESSAGE = 56,
	OPTION_MAX_SIZE = 57,
	OPTION_T1 = 58,
	OPTION_T2 = 59,
	OPTION_VENDOR_CLASS = 60,
	OPTION_CLIENT_ID = 61,
	OPTION_TFTP_SERVER = 66,
	OPTION_BOOT_FILE = 67,
	OPTION_FQDN = 81,
	OPTION_ARCH = 93,
	OPTION_SEARCH = 119,
	OPTION_ROUTES = 121,
	OPTION_END = 255,
};

struct dhcp_bytes {
	uint8_t len;
	uint8_t bytes[DHCP_OPTION_MAX];
};

/* Parts of an option that is split are one after the other (RFC 3396). */
void dhcp_bytes_append(struct dhcp_bytes *to, const uint8_t *data,
		       unsigned len);

struct dhcp_raw_option {
	uint8_t code, len;
	const uint8_t *data;
};

/*
 * The next option of an area; false: that was the last, or the area is
 * malformed and the reader has failed. An end that is missing is as good as one
 * that is there.
 */
bool dhcp_option_next(struct reader *area, struct dhcp_raw_option *option);

struct dhcp_message {
	enum dhcp_type type;
	uint32_t xid;
	uint16_t secs, flags;
	uint32_t ciaddr, giaddr;
	uint64_t mac;
	uint8_t chaddr[16];
	uint32_t requested_ip, server_id; /* 0: none */
	uint16_t max_size;		  /* of a datagram; 576 when not said */
	int arch;			  /* -1: not said */
	bool pxe;			  /* the vendor class is PXEClient */
	struct dhcp_bytes client_id, hostname, fqdn, parameters;
	bool has_parameters;
};

/* Any bytes. False when they are no message of a client on Ethernet. */
bool dhcp_message_parse(struct dhcp_message *message, const void *data,
			size_t len);

/*
 * The host name that a client may have by what it sends (option 81 first,
 * then 12): the first label, in lower case, of letters, digits and hyphens
 * inside; "" when nothing is left, or names that a client must not have.
 */
#define DHCP_LABEL_MAX 63
void dhcp_message_hostname(const struct dhcp_message *message,
			   char name[DHCP_LABEL_MAX + 1]);

#endif
