/*
 * The capture's reader and the packets' text: any bytes as a pcapng stream, fed
 * in two pieces, and the same bytes as one frame.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/packet_text.h"
#include "ctl/pcapng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_packet(const struct pcapng_packet *p, void *aux)
{
	fprintf(aux, "%s %s %d ", p->iface, p->comment, (int)p->direction);
	packet_text(p->data, p->captured, p->length, aux);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pcapng_reader *reader = pcapng_reader_create();
	char *text = NULL, *error = NULL;
	size_t len, first = size / 2;
	FILE *out = open_memstream(&text, &len);

	if (!pcapng_feed(reader, data, first, on_packet, NULL, out, &error))
		pcapng_feed(reader, data + first, size - first, on_packet, NULL,
			    out, &error);
	packet_text(data, size, size, out);
	fclose(out);
	pcapng_reader_destroy(reader);
	free(error);
	free(text);
	return 0;
}
