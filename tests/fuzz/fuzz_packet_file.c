/* A capture file's n-th packet; the first byte is n. Any bytes are a file. */
#include "ctl/packet_file.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy, *frame = NULL;
	char *error = NULL;
	uint32_t len = 0;

	if (!size)
		return 0;
	copy = xmalloc(size);
	memcpy(copy, data + 1, size - 1);
	if (packet_file_get(copy, size - 1, data[0] ? data[0] : 1, &frame, &len,
			    &error)) {
		MUST(error && !frame);
	} else {
		MUST(!error && frame && len && len < size);
		MUST(len <= PACKET_FILE_BYTES_MAX);
	}
	free(error);
	free(frame);
	free(copy);
	return 0;
}
