/* TLS for remotes, by whatever carries it out: see tls.h. */
#include "ovsdb-lite/tls.h"

#include <errno.h>
#include <stdatomic.h>

static _Atomic(const struct tls_ops *) ops;
static _Atomic(struct tls *) default_tls;

void tls_use(const struct tls_ops *new_ops)
{
	atomic_store(&ops, new_ops);
}

struct tls *tls_create(const struct tls_files *files, char **errp)
{
	const struct tls_ops *o = atomic_load(&ops);

	if (o)
		return o->create(files, errp);
	set_error(errp, -EPROTONOSUPPORT, "this program has no TLS");
	return NULL;
}

void tls_destroy(struct tls *tls)
{
	if (tls)
		atomic_load(&ops)->destroy(tls);
}

struct bufferevent *tls_open(struct tls *tls, struct event_base *base, int fd,
			     bool accepting)
{
	return atomic_load(&ops)->open(tls, base, fd, accepting);
}

int tls_established(struct tls *tls, struct bufferevent *bev, char **errp)
{
	return atomic_load(&ops)->established(tls, bev, errp);
}

bool tls_get_error(struct bufferevent *bev, char *text, size_t size)
{
	return atomic_load(&ops)->get_error(bev, text, size);
}

void tls_set_default(struct tls *tls)
{
	atomic_store(&default_tls, tls);
}

struct tls *tls_default(void)
{
	return atomic_load(&default_tls);
}
