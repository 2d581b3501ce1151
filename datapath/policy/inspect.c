/* Where a frame's network header is, and which decoder judges it. */
#include "policy/inspect.h"

int inspect_locate(struct packet *p, struct inspect_place *place)
{
	packet_pull(p, PACKET_PULL_MAX);
	place->at = (uint16_t)packet_l2_len(p, FLOW_TAGS_MAX);
	place->type = place->at <= p->header_len
			      ? load_be16(p->header + place->at - 2)
			      : 0;
	return eth_type_is_vlan(place->type) ? DROP_UNINSPECTED : -1;
}

int inspect_packet(const struct inspect_rules *rules, const struct packet *p,
		   const struct inspect_place *place)
{
	(void)rules;
	(void)p;
	(void)place;
	return -1;
}
