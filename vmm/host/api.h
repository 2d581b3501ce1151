/*
 * The API socket: JSON lines. A request {"id": ANY, "cmd": NAME, ...} is
 * answered by {"id": ANY, "result": {...}} or {"id": ANY, "error": "..."};
 * after the command "events" come {"event": NAME, ...} unasked as well. Who
 * sends what is no request, or does not read, is disconnected.
 *
 * Belongs to the thread of its event loop.
 */
#ifndef VMM_HOST_API_H
#define VMM_HOST_API_H

#include <event2/event.h>
#include <jansson.h>

#include "base/util.h"

struct api;
struct api_request;

/* Carries out a command: replies exactly once, now or later. */
typedef void api_command(struct api_request *request, const char *command,
			 const json_t *message, void *aux);

/* Listens at path, for the group too when we are root. NULL with a message. */
struct api *api_create(struct event_base *base, const char *path,
		       api_command *command, void *aux, char **errp);
/* Sends what is left, and closes. Requests without a reply need none any more.
 * NULL is fine. */
void api_destroy(struct api *api);
/* Takes over the result (NULL: an empty one), if there is no error. */
void api_reply(struct api_request *request, json_t *result, const char *error);
/* To all who asked for events. */
void api_event(struct api *api, const json_t *event);

#endif
