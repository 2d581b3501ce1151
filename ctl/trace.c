#include "ctl/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/packet_file.h"

#define PREFIX	 "pcap:"
#define FILE_MAX (256u << 20)

/* "FILE:N" to FILE; 1 without a number. */
static uint32_t cut_number(char *path)
{
	char *colon = strrchr(path, ':'), *end;
	unsigned long n;

	if (!colon || !colon[1])
		return 1;
	errno = 0;
	n = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end)
		return 1;
	if (errno || !n || n > UINT32_MAX)
		ctl_fatal("trace: " PREFIX "%s: packets are counted from 1",
			  path);
	*colon = '\0';
	return (uint32_t)n;
}

static uint8_t *read_file(const char *path, size_t *n)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = NULL;
	size_t room = 0, got;

	*n = 0;
	if (!file)
		ctl_fatal("trace: cannot open %s: %s", path, strerror(errno));
	do {
		if (*n == room) {
			room = room ? 2 * room : 65536;
			if (room > FILE_MAX)
				ctl_fatal("trace: %s is larger than %u MB",
					  path, FILE_MAX >> 20);
			bytes = xrealloc(bytes, room);
		}
		got = fread(bytes + *n, 1, room - *n, file);
		*n += got;
	} while (got);
	if (ferror(file))
		ctl_fatal("trace: cannot read %s", path);
	fclose(file);
	return bytes;
}

static char *to_hex(const uint8_t *frame, uint32_t len)
{
	char *hex = xmalloc(2 * (size_t)len + 1);

	for (uint32_t i = 0; i < len; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", frame[i]);
	return hex;
}

char *trace_argument(const char *word)
{
	char *path, *hex, *error = NULL;
	uint8_t *bytes, *frame;
	uint32_t n, len;
	size_t n_bytes;

	if (strncmp(word, PREFIX, strlen(PREFIX)) != 0)
		return xstrdup(word);
	path = xstrdup(word + strlen(PREFIX));
	n = cut_number(path);
	bytes = read_file(path, &n_bytes);
	if (packet_file_get(bytes, n_bytes, n, &frame, &len, &error))
		ctl_fatal("trace: %s: %s", path, error);
	hex = to_hex(frame, len);
	free(frame);
	free(bytes);
	free(path);
	return hex;
}
