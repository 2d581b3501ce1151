/* events: what has happened, and with "follow" what happens from now on. */
#include <stdlib.h>
#include <string.h>

#include "vswd/commands.h"
#include "vswd/events.h"
#include "vswd/segment.h"
#include "vswd/switch.h"

#define ALL_KINDS ((1u << N_EVENT_KINDS) - 1)

/* kind=A,B; false after the reply. */
static bool parse_kinds(struct control_request *request, const char *words,
			uint32_t *kinds)
{
	char *copy = xstrdup(words), *save = NULL;
	bool ok = true;

	*kinds = 0;
	for (char *word = strtok_r(copy, ",", &save); word && ok;
	     word = strtok_r(NULL, ",", &save)) {
		int kind = event_kind_find(word);

		ok = kind >= 0;
		if (ok)
			*kinds |= 1u << kind;
		else
			command_fail(request,
				     "\"%s\" is no kind of event; there are "
#define X(id, name) " " name
				     EVENT_KINDS(X)
#undef X
					     ,
				     word);
	}
	free(copy);
	if (ok && !*kinds)
		*kinds = ALL_KINDS;
	return ok;
}

static bool parse_after(struct control_request *request, const char *text,
			uint64_t *after)
{
	char *end;

	*after = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end)
		return true;
	command_fail(request, "bad after \"%s\": it must be an event's id",
		     text);
	return false;
}

static bool parse(struct control_request *request, int argc,
		  const char *const argv[], struct events_filter *filter,
		  bool *follow)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (!strcmp(word, "follow")) {
			*follow = true;
		} else if (!strncmp(word, "kind=", 5)) {
			if (!parse_kinds(request, word + 5, &filter->kinds))
				return false;
		} else if (!strncmp(word, "after=", 6)) {
			if (!parse_after(request, word + 6, &filter->after))
				return false;
		} else if (!filter->port) {
			filter->port = word;
		} else {
			command_fail(request,
				     "%s: events of one bridge or "
				     "port at a time",
				     word);
			return false;
		}
	}
	return true;
}

/* One that is there, or of which events are kept. */
static bool is_known(const struct vswitch *vs, const char *name)
{
	json_t *kept;
	bool any;

	for (const struct hmap_node *node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		const struct vport *v = CONTAINER_OF(node, struct vport, node);

		if (!strcmp(v->interface->name, name) ||
		    !strcmp(v->config->name, name))
			return true;
	}
	if (vswitch_find_bridge(vs, name))
		return true;
	for (const struct segment *seg = vs->segments; seg; seg = seg->next)
		if (!strcmp(seg->config->name, name))
			return true;
	kept = events_read(vs->log, &(struct events_filter){ .kinds = ALL_KINDS,
							     .port = name });
	any = json_array_size(kept);
	json_decref(kept);
	return any;
}

static void event_text(struct text *text, const json_t *event)
{
	char *line = event_to_text(event);

	text_add(text, "%s", line);
	free(line);
}

static void cmd_events(struct control_request *request, int argc,
		       const char *const argv[], void *aux)
{
	struct vswitch *vs = aux;
	struct events_filter filter = { .kinds = ALL_KINDS };
	bool follow = false, json = control_wants_json(request);
	char *port;
	int fd;

	if (!parse(request, argc, argv, &filter, &follow))
		return;
	if (filter.port && !is_known(vs, filter.port)) {
		command_fail(request, "no bridge or port named %s",
			     filter.port);
		return;
	}
	if (!follow) {
		command_reply_each(request, events_read(vs->log, &filter),
				   event_text);
		return;
	}
	if (!events_may_follow(vs->log)) {
		command_fail(request, "%d clients follow events already",
			     EVENTS_FOLLOWERS_MAX);
		return;
	}
	/* argv goes with the request. */
	port = filter.port ? xstrdup(filter.port) : NULL;
	filter.port = port;
	fd = control_reply_and_take_socket(request, "");
	if (fd >= 0)
		events_follow(vs->log, fd, &filter, json);
	free(port);
}

void commands_register_events(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "events",
			 "[bridge|port] [kind=A,B] [after=ID] [follow]", 0, 4,
			 cmd_events, vs);
}
