/* LLDPDUs of strangers: decoded, shown, encoded again. */
#include "discovery/lldp_pdu.h"
#include "fuzz_discovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct discovery_info info, again;
	struct discovery_parse_notes notes;
	uint8_t frame[LLDP_FRAME_MAX];
	uint8_t *copy = fuzz_copy(data, size);
	bool too_long;
	size_t len;

	if (!lldp_decode(copy, size, &info, &notes)) {
		fuzz_check_info(&info);
		fuzz_hear(&info, copy, size);
		len = lldp_encode(&info, 2, frame, &too_long);
		MUST(len > 14 && len <= sizeof(frame));
		MUST(!lldp_decode(frame + 14, len - 14, &again, &notes));
		MUST(!notes.tlvs_discarded && !notes.tlvs_unrecognized);
		info.n_left_out = 0;
		/* What is cut, and an answer of a shutdown, differ. */
		if (!too_long && info.ttl_s && fuzz_is_whole(&info))
			MUST(!memcmp(&info, &again, sizeof(info)));
	}
	free(copy);
	return 0;
}
