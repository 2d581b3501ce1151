/*
 * The DHCP client of a segment's uplink (gateway/dhcp_client.h): its datagrams,
 * its probes, and the address that it remembers over a restart of the daemon,
 * as sessions are of use with the same one only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/udp_frame.h"
#include "packet/neighbor.h"
#include "vswd/segment_uplink.h"
#include "vswd/state_file.h"

LOG_MODULE(uplink);

#define KIND	  "vsw-dhcp"
#define BROADCAST 0xffffffff

static char *path_of(const struct segment *seg)
{
	if (!seg->vs->run_dir || strchr(seg->config->name, '/'))
		return NULL;
	return xasprintf("%s/nat/%s.lease", seg->vs->run_dir,
			 seg->config->name);
}

static void remember(const struct segment *seg, uint32_t ip)
{
	char *path = path_of(seg), *why = NULL;
	struct state_writer *w;

	if (!path)
		return;
	if (!state_file_create(path, KIND, &w, &why)) {
		state_file_write(w, &ip, sizeof(ip));
		state_file_finish(w, true, &why);
	}
	if (why)
		log_warn("segment %s: its address is not remembered: %s",
			 seg->config->name, why);
	free(why);
	free(path);
}

static void forget(const struct segment *seg)
{
	char *path = path_of(seg);

	if (path && unlink(path) && errno != ENOENT)
		log_warn("segment %s: cannot remove %s: %s", seg->config->name,
			 path, strerror(errno));
	free(path);
}

static uint32_t recall(const struct segment *seg)
{
	char *path = path_of(seg), *why = NULL;
	uint8_t *data = NULL;
	uint64_t age_ms;
	uint32_t ip = 0;
	size_t len;

	if (path &&
	    !state_file_read(path, KIND, sizeof(ip), &data, &len, &age_ms,
			     &why) &&
	    len == sizeof(ip))
		memcpy(&ip, data, sizeof(ip));
	if (why)
		log_warn("segment %s: %s", seg->config->name, why);
	free(data);
	free(why);
	free(path);
	return ip;
}

static void client_send(uint32_t from, uint32_t to, const void *message,
			size_t len, void *arg)
{
	struct segment_uplink *uplink = arg;
	uint8_t frame[DHCP_CLIENT_MESSAGE_LEN + UDP_FRAME_HEADERS];
	struct udp_datagram d = {
		.from = { uplink->mac, ip_address_v4(from), DHCP_CLIENT_PORT },
		.to = { MAC_BROADCAST, ip_address_v4(to), DHCP_SERVER_PORT },
		.payload = message,
		.len = len,
	};

	len = udp_frame_build(&d, frame, sizeof(frame));
	if (to == BROADCAST)
		segment_send(uplink->seg, ROUTER_OUTSIDE, frame, len);
	else
		segment_send_ip(uplink->seg, frame, len);
}

static void client_probe(uint32_t ip, void *arg)
{
	struct segment_uplink *uplink = arg;
	const struct ip_address address = ip_address_v4(ip);
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	size_t len = neighbor_probe(uplink->mac, address.bytes, 4, frame);

	uplink->probed = ip;
	segment_send(uplink->seg, ROUTER_OUTSIDE, frame, len);
}

static void client_changed(const struct dhcp_client_lease *lease, void *arg)
{
	struct segment_uplink *uplink = arg;

	if (lease)
		remember(uplink->seg, lease->ip);
	else
		log_warn("segment %s: its lease on bridge %s is over",
			 uplink->seg->config->name,
			 uplink->seg->config->uplink.bridge);
	uplink_refresh(uplink);
}

void uplink_dhcp_start(struct segment_uplink *uplink, uint64_t now_ms)
{
	static const struct dhcp_client_ops ops = {
		.send = client_send,
		.probe = client_probe,
		.changed = client_changed,
	};
	struct dhcp_client_config config = {
		.mac = uplink->mac,
		.remembered = recall(uplink->seg),
	};

	if (getrandom(&config.seed, sizeof(config.seed), 0) !=
	    sizeof(config.seed))
		config.seed = now_ms ^ uplink->mac;
	uplink->dhcp = dhcp_client_create(&config, &ops, uplink, now_ms);
}

void uplink_dhcp_stop(struct segment_uplink *uplink, bool keep)
{
	if (!uplink->dhcp)
		return;
	if (!keep) {
		dhcp_client_release(uplink->dhcp);
		forget(uplink->seg);
	}
	dhcp_client_destroy(uplink->dhcp);
	uplink->dhcp = NULL;
	uplink->probed = 0;
}

/* RFC 5227 2.1.1: an answer, or a probe of somebody else's for the same. */
static void look_for_conflict(struct segment_uplink *uplink,
			      const struct segment_packet *packet,
			      uint64_t now_ms)
{
	const struct ip_address probed = ip_address_v4(uplink->probed);
	struct neighbor neighbor;

	if (!uplink->probed || packet->client.mac == uplink->mac ||
	    !neighbor_parse(packet->frame, packet->len, &neighbor) ||
	    neighbor.ip_len != 4 || memcmp(neighbor.ip, probed.bytes, 4) != 0)
		return;
	if (dhcp_client_conflict(uplink->dhcp, uplink->probed, now_ms))
		log_warn("segment %s: the address that DHCP gave it is in use "
			 "already: it is declined",
			 uplink->seg->config->name);
}

bool uplink_dhcp_receive(struct segment_uplink *uplink,
			 const struct segment_packet *packet, uint64_t now_ms)
{
	struct udp_datagram d;
	uint32_t to;

	if (!uplink->dhcp)
		return false;
	look_for_conflict(uplink, packet, now_ms);
	if (!udp_frame_parse(&d, packet->frame, packet->len) ||
	    d.to.ip.len != 4 || d.to.port != DHCP_CLIENT_PORT ||
	    d.from.port != DHCP_SERVER_PORT)
		return false;
	to = ip_address_to_v4(&d.to.ip);
	if (to == BROADCAST || station_has(uplink->station, &d.to.ip))
		dhcp_client_receive(uplink->dhcp, d.payload, d.len, now_ms);
	return true;
}
