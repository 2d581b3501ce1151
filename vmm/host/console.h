/*
 * A console of the VM shown in several places: a terminal, who connects to its
 * socket, and a log. Who connects gets the last of the output first. The guest
 * waits for none of them: a reader that is too slow is disconnected, the
 * terminal misses output, the log begins anew when it is large.
 *
 * Belongs to the thread of its event loop.
 */
#ifndef VMM_HOST_CONSOLE_H
#define VMM_HOST_CONSOLE_H

#include <event2/event.h>

#include "base/util.h"

struct console;

/*
 * `fd`: the keeper's end of the stream to the machine, taken over. Listens at
 * path, and keeps a log at the other; each may be NULL. NULL with a message on
 * failure.
 */
struct console *console_create(struct event_base *base, int fd,
			       const char *path, const char *log, char **errp);
/* Shows it on standard input and output; `quit` when the user leaves. */
void console_show(struct console *console, void (*quit)(void *aux), void *aux);
/* Shows what the machine wrote last. NULL is fine. */
void console_destroy(struct console *console);

#endif
