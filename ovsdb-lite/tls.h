/*
 * TLS for the "ssl:" and "pssl:" remotes: a private key, its certificate, and
 * the certificate authority that the peer's certificate must be signed by, all
 * in PEM files.
 *
 * OpenSSL is behind a table of functions, so that a program can do without it
 * until it needs it: loading it takes longer than all that vsw-ctl does.
 */
#ifndef OVSDB_LITE_TLS_H
#define OVSDB_LITE_TLS_H

#include "base/util.h"

struct tls;
struct bufferevent;
struct event_base;

struct tls_files {
	char *private_key;
	char *certificate;
	char *ca_cert;	    /* "none": the peer is not verified */
	bool bootstrap;	    /* take ca_cert from the first peer if missing */
	char *peer_ca_cert; /* sent along with our own certificate */
};

/*
 * Reads the files; NULL with a message that names the wrong one. The files'
 * names are copied.
 */
struct tls *tls_create(const struct tls_files *files, char **errp);
void tls_destroy(struct tls *tls);

/*
 * A new session over a socket, which it takes over unless this fails: NULL. The
 * handshake begins with the event loop; `accepting`: as the server.
 */
struct bufferevent *tls_open(struct tls *tls, struct event_base *base, int fd,
			     bool accepting);
/*
 * Call when a handshake is done. With bootstrap and no CA certificate yet, the
 * peer's is stored in the file and -EAGAIN is returned: connect anew. 0, or
 * -errno with a message.
 */
int tls_established(struct tls *tls, struct bufferevent *bev, char **errp);
/* What went wrong in the session, if TLS did: fills text, returns true. */
bool tls_get_error(struct bufferevent *bev, char *text, size_t size);

/*
 * The TLS that jsonrpc_connect() uses for "ssl:" remotes, process-wide: set it
 * before connections are made. NULL when there is none.
 */
void tls_set_default(struct tls *tls);
struct tls *tls_default(void);

/* Who does the work: the functions above, but for the last two. */
struct tls_ops {
	struct tls *(*create)(const struct tls_files *files, char **errp);
	void (*destroy)(struct tls *tls);
	struct bufferevent *(*open)(struct tls *tls, struct event_base *base,
				    int fd, bool accepting);
	int (*established)(struct tls *tls, struct bufferevent *bev,
			   char **errp);
	bool (*get_error)(struct bufferevent *bev, char *text, size_t size);
};

extern const struct tls_ops tls_openssl;

/* Before the first tls_create(), which fails without; process-wide. */
void tls_use(const struct tls_ops *ops);

#endif
