/*
 * TLS for the "ssl:" and "pssl:" remotes: a private key, its certificate, and
 * the certificate authority that the peer's certificate must be signed by, all
 * in PEM files.
 */
#ifndef OVSDB_LITE_TLS_H
#define OVSDB_LITE_TLS_H

#include "base/util.h"

struct tls;
struct ssl_st;

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

/* A new session for one connection; the caller (or its bufferevent) frees. */
struct ssl_st *tls_session(struct tls *tls);
/*
 * Call when a handshake is done. With bootstrap and no CA certificate yet, the
 * peer's is stored in the file and -EAGAIN is returned: connect anew. 0, or
 * -errno with a message.
 */
int tls_established(struct tls *tls, struct ssl_st *ssl, char **errp);

/*
 * The TLS that jsonrpc_connect() uses for "ssl:" remotes, process-wide: set it
 * before connections are made. NULL when there is none.
 */
void tls_set_default(struct tls *tls);
struct tls *tls_default(void);

#endif
