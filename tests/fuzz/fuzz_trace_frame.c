/*
 * What `trace` is told: words, a line each, that are fields or a frame in hex.
 * A frame that is made of them is one: its headers are read back.
 */
#include <errno.h>

#include "fuzz_input.h"
#include "packet/parse.h"
#include "vswd/trace_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trace_frame frame;
	const char *words[WORDS_MAX];
	char *text = xmalloc(size + 1), *rest = text, *word, *error = NULL;
	struct flow_key key;
	unsigned n = 0;

	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	while (n < WORDS_MAX && (word = strsep(&rest, "\n")))
		words[n++] = word;
	if (trace_frame_parse(&frame, n, words, &error)) {
		MUST(error && *error);
		MUST(!strchr(error, '\n'));
	} else {
		MUST(!error);
		MUST(frame.in_port[0]);
		MUST(frame.len && frame.len <= sizeof(frame.data));
		(void)flow_parse(frame.data, frame.len, &key);
	}
	free(error);
	free(text);
	return 0;
}
