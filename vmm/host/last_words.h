/* The end of a connection to whom something is left to say. */
#ifndef VMM_HOST_LAST_WORDS_H
#define VMM_HOST_LAST_WORDS_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>

/* Writes what the socket takes without waiting, and frees. NULL is fine. */
static inline void last_words(struct bufferevent *bev)
{
	struct evbuffer *out = bev ? bufferevent_get_output(bev) : NULL;

	if (!bev)
		return;
	evbuffer_unfreeze(out, 1);
	evbuffer_write(out, bufferevent_getfd(bev));
	bufferevent_free(bev);
}

#endif
