/*
 * CDP of strangers: decoded, shown, encoded again. Its checksum would keep the
 * fuzzer out, so that is put right first, in half of the inputs.
 */
#include "discovery/cdp_pdu.h"
#include "fuzz_discovery.h"

#define PDU 10 /* behind the length, LLC and SNAP */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_right(uint8_t *bytes, size_t size)
{
	size_t end;

	if (size < PDU + 4)
		return;
	end = MIN(size, load_be16(bytes) + 2u);
	if (end < PDU + 4)
		return;
	store_be16(bytes + PDU + 2, 0);
	store_be16(bytes + PDU + 2, cdp_checksum(bytes + PDU, end - PDU));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct discovery_info info, again;
	struct discovery_parse_notes notes;
	uint8_t frame[CDP_FRAME_MAX];
	uint8_t *copy = fuzz_copy(data, size);
	bool too_long;
	size_t len;

	if (size % 2 || size > 200)
		put_right(copy, size);
	if (!cdp_decode(copy, size, &info, &notes)) {
		fuzz_check_info(&info);
		fuzz_hear(&info, copy, size);
		len = cdp_encode(&info, 2, frame, &too_long);
		MUST(len > 14 && len <= sizeof(frame));
		if (!too_long) {
			MUST(!cdp_decode(frame + 12, len - 12, &again, &notes));
			MUST(!notes.tlvs_discarded && !notes.tlvs_unrecognized);
			MUST(again.chassis.len == info.chassis.len);
			MUST(again.n_addresses == info.n_addresses);
		}
	}
	free(copy);
	return 0;
}
