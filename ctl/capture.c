/*
 * capture: vswd answers with a line of text and then streams pcapng on the same
 * socket. Here it goes to a file or pipe block by block, or is printed a packet
 * a line, until COUNT packets have come or somebody interrupts.
 */
#include "ctl/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/packet_text.h"
#include "ctl/pcapng.h"

#define READ_SIZE 65536

struct capture {
	const char *target, *file;
	char *filter;
	uint64_t max_packets; /* 0: no limit */
	uint64_t n_packets;
	unsigned int snaplen; /* 0: vswd's default */
	FILE *out;	      /* NULL: packets are printed */
	bool json;
};

/* Set by a signal: the only thing that a handler may reach. */
static volatile sig_atomic_t interrupted; /* how often */

static void on_interrupt(int signal_number)
{
	interrupted++;
}

/* --- the command's own arguments ------------------------------------------ */

static uint32_t parse_count(const char *option, const char *text)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !n || n > UINT32_MAX)
		ctl_fatal("capture: %s takes a number above 0, not \"%s\"",
			  option, text);
	return (uint32_t)n;
}

static void add_filter(struct capture *c, const char *word)
{
	char *longer =
		c->filter ? xasprintf("%s %s", c->filter, word) : xstrdup(word);

	free(c->filter);
	c->filter = longer;
}

static void parse_arguments(struct capture *c, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		bool option = word[0] == '-' && word[1] && !word[2] &&
			      strchr("wcs", word[1]);

		if (option && i + 1 >= argc)
			ctl_fatal("capture: %s needs an argument", word);
		if (option && word[1] == 'w')
			c->file = argv[++i];
		else if (option && word[1] == 'c')
			c->max_packets = parse_count(word, argv[++i]);
		else if (option && !strcmp(argv[i + 1], "0"))
			i++; /* all of it, as for tcpdump */
		else if (option)
			c->snaplen = parse_count(word, argv[++i]);
		else if (!c->target)
			c->target = word;
		else
			add_filter(c, word);
	}
	if (!c->target)
		ctl_fatal("capture: whose packets? usage: capture BRIDGE|PORT "
			  "[FILTER...] [-w FILE|-] [-c COUNT] [-s SNAPLEN]");
}

/* --- packets -------------------------------------------------------------- */

static const char *direction_name(enum pcapng_direction direction)
{
	switch (direction) {
	case PCAPNG_INBOUND:
		return "in";
	case PCAPNG_OUTBOUND:
		return "out";
	default:
		return "-";
	}
}

static void print_line(const struct pcapng_packet *p)
{
	time_t seconds = (time_t)(p->time_ns / 1000000000u);
	struct tm tm;
	char clock[16] = "??:??:??";

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("%s.%06u %s %s ", clock,
	       (unsigned int)(p->time_ns % 1000000000u / 1000), p->iface,
	       direction_name(p->direction));
	if (*p->comment)
		printf("[%s] ", p->comment);
	packet_text(p->data, p->captured, p->length, stdout);
	putchar('\n');
}

static void print_json(const struct pcapng_packet *p)
{
	char *text = NULL;
	size_t len;
	FILE *stream = open_memstream(&text, &len);
	json_t *json;

	packet_text(p->data, p->captured, p->length, stream);
	fclose(stream);
	json = json_pack("{s:I, s:s, s:s, s:s, s:I, s:s}", "time_ns",
			 (json_int_t)p->time_ns, "port", p->iface, "direction",
			 direction_name(p->direction), "comment", p->comment,
			 "length", (json_int_t)p->length, "summary", text);
	json_print(json, false, stdout);
	json_decref(json);
	free(text);
}

static bool on_packet(const struct pcapng_packet *packet, void *aux)
{
	struct capture *c = aux;

	if (c->json)
		print_json(packet);
	else
		print_line(packet);
	c->n_packets++;
	return c->n_packets != c->max_packets;
}

/* For -w: blocks go out as they are, packets are only counted. */
static bool on_block(const uint8_t *block, size_t n, bool is_packet, void *aux)
{
	struct capture *c = aux;

	fwrite(block, 1, n, c->out);
	c->n_packets += is_packet;
	return !is_packet || c->n_packets != c->max_packets;
}

/* Hands bytes on. Returns false when the capture is over. */
static bool take_bytes(struct capture *c, struct pcapng_reader *reader,
		       const void *data, size_t n)
{
	FILE *out = c->out ? c->out : stdout;
	char *error = NULL;

	if (pcapng_feed(reader, data, n, c->out ? NULL : on_packet,
			c->out ? on_block : NULL, c, &error))
		ctl_fatal("capture: %s", error);
	/* A reader at the other end of a pipe sees each packet at once. */
	if (fflush(out) || ferror(out)) {
		if (errno != EPIPE)
			ctl_fatal("capture: writing %s failed: %s",
				  c->file ? c->file : "the output",
				  strerror(errno));
		return false;
	}
	return !c->max_packets || c->n_packets < c->max_packets;
}

/*
 * At the first interrupt vswd is told that no more is wanted, and sends what it
 * has and how much was lost; the second ends the reading, whatever comes.
 */
static void stream(struct capture *c, struct pcapng_reader *reader, int fd)
{
	bool ending = false;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint8_t *buf = xmalloc(READ_SIZE);
	ssize_t n;

	while (interrupted < 2) {
		if (interrupted && !ending) {
			ending = true;
			shutdown(fd, SHUT_WR);
		}
		n = read(fd, buf, READ_SIZE);
		if (n > 0) {
			if (!take_bytes(c, reader, buf, (size_t)n))
				break;
		} else if (!n) {
			if (!ending)
				ctl_warn("capture: vswd has ended it");
			break;
		} else if (errno == EAGAIN) {
			poll(&poll_fd, 1, -1);
		} else if (errno != EINTR) {
			ctl_warn("capture: %s", strerror(errno));
			break;
		}
	}
	free(buf);
}

static void open_output(struct capture *c)
{
	if (!c->file)
		return;
	c->out = strcmp(c->file, "-") ? fopen(c->file, "we") : stdout;
	if (!c->out)
		ctl_fatal("capture: cannot write %s: %s", c->file,
			  strerror(errno));
}

/* Interrupts end the capture properly; no SA_RESTART, so that read() ends. */
static void catch_interrupts(void)
{
	const struct sigaction action = { .sa_handler = on_interrupt };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int capture_run(const struct ctl_options *options, int argc, char **argv)
{
	struct capture c = { .json = options->format_given &&
				     options->style.format == TABLE_JSON };
	struct pcapng_reader *reader;
	const char *words[5];
	char snaplen[32], *text;
	int n = 0, fd, status;
	size_t n_more = 0;

	parse_arguments(&c, argc, argv);
	words[n++] = "capture";
	words[n++] = c.target;
	if (c.filter)
		words[n++] = c.filter;
	if (c.snaplen) {
		snprintf(snaplen, sizeof(snaplen), "snaplen=%u", c.snaplen);
		words[n++] = snaplen;
	}
	open_output(&c);
	status = daemon_call(options, n, words, &text, &fd, &n_more);
	if (status)
		return EXIT_FAILURE;
	if (*text)
		fprintf(stderr, "%s%s", text,
			text[strlen(text) - 1] == '\n' ? "" : "\n");
	catch_interrupts();
	reader = pcapng_reader_create();
	if (!n_more || take_bytes(&c, reader, text + strlen(text) + 1, n_more))
		stream(&c, reader, fd);
	close(fd);
	fprintf(stderr, "%" PRIu64 " packets captured\n", c.n_packets);
	if (pcapng_lost(reader))
		fprintf(stderr,
			"%" PRIu64 " packets lost: they came faster "
			"than they were written\n",
			pcapng_lost(reader));
	if (c.out && c.out != stdout)
		fclose(c.out);
	pcapng_reader_destroy(reader);
	free(text);
	free(c.filter);
	return EXIT_SUCCESS;
}
