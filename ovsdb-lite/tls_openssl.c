/* TLS by OpenSSL: the members of tls_openssl, see tls.h. */
#include "ovsdb-lite/tls.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tls {
	SSL_CTX *ctx;
	char *bootstrap_file; /* where the peer's CA goes, until it is there */
};

static int tls_error(char **errp, const char *what, const char *file)
{
	unsigned long e = ERR_get_error();
	char text[256];

	ERR_error_string_n(e, text, sizeof(text));
	ERR_clear_error();
	return set_error(errp, -EINVAL, "%s %s: %s", what, file, text);
}

static int load_own(struct tls *tls, const struct tls_files *files, char **errp)
{
	if (!files->private_key || !files->certificate)
		return set_error(errp, -EINVAL,
				 "TLS needs --private-key, "
				 "--certificate and --ca-cert");
	if (SSL_CTX_use_certificate_chain_file(tls->ctx, files->certificate) !=
	    1)
		return tls_error(errp, "certificate", files->certificate);
	if (SSL_CTX_use_PrivateKey_file(tls->ctx, files->private_key,
					SSL_FILETYPE_PEM) != 1)
		return tls_error(errp, "private key", files->private_key);
	if (SSL_CTX_check_private_key(tls->ctx) != 1)
		return tls_error(errp,
				 "the certificate does not belong to "
				 "the private key",
				 files->private_key);
	return 0;
}

/* More certificates for the peer, which may bootstrap its CA from them. */
static int load_chain(struct tls *tls, const char *file, char **errp)
{
	FILE *f = fopen(file, "re");
	X509 *x;

	if (!f)
		return set_error(errp, -errno, "peer CA certificate %s: %s",
				 file, strerror(errno));
	while ((x = PEM_read_X509(f, NULL, NULL, NULL)))
		SSL_CTX_add_extra_chain_cert(tls->ctx, x);
	ERR_clear_error(); /* the end of the file is an error there */
	fclose(f);
	return 0;
}

static int load_ca(struct tls *tls, const struct tls_files *files, char **errp)
{
	const char *file = files->ca_cert;

	if (!file)
		return set_error(errp, -EINVAL,
				 "TLS needs --ca-cert; \"none\" "
				 "does without verifying the peer");
	if (!strcmp(file, "none"))
		return 0;
	if (files->bootstrap && access(file, F_OK) < 0 && errno == ENOENT) {
		tls->bootstrap_file = xstrdup(file);
		return 0;
	}
	if (SSL_CTX_load_verify_locations(tls->ctx, file, NULL) != 1)
		return tls_error(errp, "CA certificate", file);
	SSL_CTX_set_client_CA_list(tls->ctx, SSL_load_client_CA_file(file));
	SSL_CTX_set_verify(tls->ctx,
			   SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   NULL);
	return 0;
}

static void destroy(struct tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls->bootstrap_file);
	free(tls);
}

static struct tls *create(const struct tls_files *files, char **errp)
{
	static const unsigned char id[] = "ovsdb";
	struct tls *tls = xcalloc(1, sizeof(*tls));

	tls->ctx = SSL_CTX_new(TLS_method());
	if (!tls->ctx) {
		tls_error(errp, "TLS", "context");
		goto fail;
	}
	SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
	SSL_CTX_set_session_id_context(tls->ctx, id, sizeof(id));
	SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
	if (load_own(tls, files, errp) || load_ca(tls, files, errp))
		goto fail;
	if (files->peer_ca_cert && load_chain(tls, files->peer_ca_cert, errp))
		goto fail;
	return tls;
fail:
	destroy(tls);
	return NULL;
}

static struct bufferevent *open_session(struct tls *tls,
					struct event_base *base, int fd,
					bool accepting)
{
	enum bufferevent_ssl_state state = accepting
						   ? BUFFEREVENT_SSL_ACCEPTING
						   : BUFFEREVENT_SSL_CONNECTING;
	SSL *ssl = SSL_new(tls->ctx);
	struct bufferevent *bev;

	if (!ssl)
		return NULL;
	bev = bufferevent_openssl_socket_new(base, fd, ssl, state,
					     BEV_OPT_CLOSE_ON_FREE);
	if (bev)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

/* The certificate that ends the peer's chain, if it is one that signs itself.
 */
static X509 *peer_root(SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	X509 *last;

	if (!chain || sk_X509_num(chain) < 1)
		return NULL;
	last = sk_X509_value(chain, sk_X509_num(chain) - 1);
	if (X509_NAME_cmp(X509_get_subject_name(last),
			  X509_get_issuer_name(last)))
		return NULL;
	return last;
}

static int store_ca(const char *path, X509 *ca, char **errp)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool ok;

	if (!f)
		return set_error(errp, -errno, "CA certificate %s: %s", path,
				 strerror(errno));
	ok = PEM_write_X509(f, ca);
	if (fclose(f) == 0 && ok)
		return 0;
	unlink(path);
	return set_error(errp, -EIO, "CA certificate %s: writing failed", path);
}

static int established(struct tls *tls, struct bufferevent *bev, char **errp)
{
	X509 *ca;
	int error;

	if (!tls->bootstrap_file)
		return 0;
	ca = peer_root(bufferevent_openssl_get_ssl(bev));
	if (!ca)
		return set_error(errp, -EPROTO,
				 "the peer sent no CA "
				 "certificate to store in %s; copy it there",
				 tls->bootstrap_file);
	error = store_ca(tls->bootstrap_file, ca, errp);
	if (!error && SSL_CTX_load_verify_locations(
			      tls->ctx, tls->bootstrap_file, NULL) != 1)
		error = tls_error(errp, "CA certificate", tls->bootstrap_file);
	if (error)
		return error;
	SSL_CTX_set_verify(tls->ctx,
			   SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   NULL);
	free(tls->bootstrap_file);
	tls->bootstrap_file = NULL;
	return set_error(errp, -EAGAIN,
			 "the peer's CA certificate was "
			 "stored; connecting again with it");
}

static bool get_error(struct bufferevent *bev, char *text, size_t size)
{
	unsigned long error = bufferevent_get_openssl_error(bev);

	if (error)
		ERR_error_string_n(error, text, size);
	return error != 0;
}

const struct tls_ops tls_openssl = {
	.create = create,
	.destroy = destroy,
	.open = open_session,
	.established = established,
	.get_error = get_error,
};
