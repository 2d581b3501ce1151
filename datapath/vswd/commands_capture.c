/* capture: checks what is asked for and hands the socket to a session. */
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/capture_session.h"
#include "vswd/commands.h"
#include "vswd/switch.h"
#include "vswd/vbond.h"

#define SNAPLEN_MAX    65535
#define SESSIONS_MAX   16
#define FILTER_LEN_MAX 4096

/* snaplen=N; 0 after the reply. */
static uint32_t parse_snaplen(struct control_request *request, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text && !*end && n >= 1 && n <= SNAPLEN_MAX)
		return n;
	command_fail(request, "bad snaplen \"%s\": it must be from 1 to %d",
		     text, SNAPLEN_MAX);
	return 0;
}

/* The words that are no option, with spaces: the filter. The caller frees. */
static char *join_filter(int argc, const char *const argv[])
{
	struct text text = { 0 };

	for (int i = 2; i < argc; i++)
		if (strncmp(argv[i], "snaplen=", 8) && argv[i][0])
			text_add(&text, "%s%s", text.n ? " " : "", argv[i]);
	return text.s;
}

/* Into request.program; false after the reply. */
static bool compile_filter(struct control_request *control,
			   struct capture_request *request,
			   struct bpf_program *program)
{
	pcap_t *pcap;
	bool ok;

	if (!request->filter)
		return true;
	if (strlen(request->filter) > FILTER_LEN_MAX) {
		control_reply_error(control, "the filter is too long");
		return false;
	}
	pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN_MAX);
	ok = pcap && !pcap_compile(pcap, program, request->filter, 1,
				   PCAP_NETMASK_UNKNOWN);
	if (ok)
		request->program = program;
	else
		command_fail(control, "filter \"%s\": %s", request->filter,
			     pcap ? pcap_geterr(pcap) : "out of memory");
	if (pcap)
		pcap_close(pcap);
	return ok;
}

/*
 * A bridge's name is its own port's name too: "capture br0" is the bridge. A
 * bond's is its members.
 */
static bool find_target(struct control_request *control, struct vswitch *vs,
			const char *name, struct capture_request *request)
{
	struct vport *v = vswitch_find_vport(vs, name);

	if (vswitch_find_bridge(vs, name)) {
		request->bridge = name;
		return true;
	}
	if (v ? v->port != NULL : vswitch_find_bond(vs, name) != NULL) {
		request->port = name;
		return true;
	}
	command_fail(control, "%s: %s", name,
		     !v		? "no such bridge or port"
		     : v->error ? v->error
				: "the port is not open");
	return false;
}

static void cmd_capture(struct control_request *control, int argc,
			const char *const argv[], void *aux)
{
	struct vswitch *vs = aux;
	struct capture_request request = { .snaplen = SNAPLEN_MAX };
	struct bpf_program program = { 0 };
	char *filter = NULL, *target = NULL;
	int fd;

	if (!find_target(control, vs, argv[1], &request))
		return;
	for (int i = 2; i < argc && request.snaplen; i++)
		if (!strncmp(argv[i], "snaplen=", 8))
			request.snaplen = parse_snaplen(control, argv[i] + 8);
	if (!request.snaplen)
		return;
	if (capture_sessions_count(vs) >= SESSIONS_MAX) {
		command_fail(control, "%d captures are running already",
			     SESSIONS_MAX);
		return;
	}
	request.filter = filter = join_filter(argc, argv);
	/* argv goes with the request. */
	target = xstrdup(argv[1]);
	if (request.bridge)
		request.bridge = target;
	else
		request.port = target;
	if (compile_filter(control, &request, &program)) {
		fd = control_reply_and_take_socket(control, "");
		if (fd >= 0)
			capture_session_start(vs, fd, &request);
	}
	pcap_freecode(&program);
	free(filter);
	free(target);
}

void commands_register_capture(struct control_server *server,
			       struct vswitch *vs)
{
	control_register(server, "capture", "bridge|port [filter] [snaplen=N]",
			 1, -1, cmd_capture, vs);
}
