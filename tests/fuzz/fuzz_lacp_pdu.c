/*
 * LACPDUs and marker PDUs from any bytes; what was understood is the same when
 * it is written and read again.
 */
#include "bond/lacp_pdu.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_info(const struct lacp_info *a, const struct lacp_info *b)
{
	return a->system_priority == b->system_priority &&
	       a->system_id == b->system_id && a->key == b->key &&
	       a->port_priority == b->port_priority &&
	       a->port_id == b->port_id && a->state == b->state;
}

static void check_pdu(const struct lacp_frame *frame)
{
	const struct lacp_pdu *pdu = &frame->pdu;
	uint8_t bytes[LACP_FRAME_LEN];
	struct lacp_frame again;

	MUST(pdu->actor.system_id >> 48 == 0);
	lacp_pdu_encode(pdu, frame->src_mac, bytes);
	MUST(lacp_frame_decode(bytes, sizeof(bytes), &again) == LACP_FRAME_PDU);
	MUST(again.src_mac == frame->src_mac && again.pdu.version == 1);
	MUST(same_info(&again.pdu.actor, &pdu->actor));
	MUST(same_info(&again.pdu.partner, &pdu->partner));
	MUST(again.pdu.collector_max_delay == pdu->collector_max_delay);
}

static void check_marker(const struct lacp_frame *frame, bool response)
{
	const struct lacp_marker *marker = &frame->marker;
	uint8_t bytes[LACP_FRAME_LEN];
	struct lacp_frame again;

	lacp_marker_encode(marker, response, frame->src_mac, bytes);
	MUST(lacp_frame_decode(bytes, sizeof(bytes), &again) ==
	     (response ? LACP_FRAME_MARKER_RESPONSE : LACP_FRAME_MARKER));
	MUST(again.marker.requester_port == marker->requester_port);
	MUST(again.marker.requester_system == marker->requester_system);
	MUST(again.marker.transaction_id == marker->transaction_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A block of exactly its length. */
	uint8_t *copy = xmalloc(size ? size : 1);
	struct lacp_frame frame;

	if (size)
		memcpy(copy, data, size);
	switch (lacp_frame_decode(copy, size, &frame)) {
	case LACP_FRAME_PDU:
		check_pdu(&frame);
		break;
	case LACP_FRAME_MARKER:
		check_marker(&frame, false);
		break;
	case LACP_FRAME_MARKER_RESPONSE:
		check_marker(&frame, true);
		break;
	case LACP_FRAME_BAD:
	case LACP_FRAME_OTHER:
		break;
	}
	free(copy);
	return 0;
}
