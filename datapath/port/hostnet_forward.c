/*
 * Ports of the host that lead to machines. libslirp has a call for each; a
 * range is many. What is in force is compared with what is wanted, so that
 * connections through what stays are not touched.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "port/hostnet_internal.h"

/* One port of a forward. */
struct wanted {
	struct hostnet_forward one;
	unsigned owner; /* the forward's number */
	bool there;
};

struct change {
	struct wanted *wanted;
	unsigned n;
	char **errors;
	unsigned n_failed;
};

union address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

static socklen_t make_address(union address *a, uint8_t version,
			      const uint8_t *ip, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (version == 4) {
		a->ip4.sin_family = AF_INET;
		a->ip4.sin_port = htons(port);
		memcpy(&a->ip4.sin_addr, ip, 4);
		return sizeof(a->ip4);
	}
	a->ip6.sin6_family = AF_INET6;
	a->ip6.sin6_port = htons(port);
	memcpy(&a->ip6.sin6_addr, ip, 16);
	return sizeof(a->ip6);
}

static int flags_of(const struct hostnet_forward *f)
{
	return (f->udp ? SLIRP_HOSTFWD_UDP : 0) |
	       (f->version == 6 ? SLIRP_HOSTFWD_V6ONLY : 0);
}

static int add_one(struct hostnet *h, const struct hostnet_forward *f)
{
	union address host, inside;
	socklen_t host_len =
		make_address(&host, f->version, f->host, f->host_lo);
	socklen_t inside_len =
		make_address(&inside, f->version, f->inside, f->inside_port);

	errno = EINVAL;
	return slirp_add_hostxfwd(h->slirp, &host.any, host_len, &inside.any,
				  inside_len, flags_of(f))
		       ? -errno
		       : 0;
}

static void remove_one(struct hostnet *h, const struct hostnet_forward *f)
{
	union address host;
	socklen_t len = make_address(&host, f->version, f->host, f->host_lo);

	slirp_remove_hostxfwd(h->slirp, &host.any, len, flags_of(f));
}

static char *why_not(const struct hostnet_forward *f, int error)
{
	const char *kind = f->udp ? "UDP" : "TCP";
	char ip[INET6_ADDRSTRLEN] = "";

	inet_ntop(f->version == 4 ? AF_INET : AF_INET6, f->host, ip,
		  sizeof(ip));
	switch (error) {
	case -EADDRINUSE:
		return xasprintf("%s port %u of the host is used by another "
				 "program; choose another, or see who it is: "
				 "ss -%slnp sport = :%u",
				 kind, f->host_lo, f->udp ? "u" : "t",
				 f->host_lo);
	case -EACCES:
	case -EPERM:
		return xasprintf("%s port %u of the host is for privileged "
				 "programs; choose one from 1024 on, or give "
				 "vswd CAP_NET_BIND_SERVICE",
				 kind, f->host_lo);
	case -EADDRNOTAVAIL:
		return xasprintf("the host has no address %s; see them: ip "
				 "address",
				 ip);
	default:
		return xasprintf("cannot listen on %s port %u of the host: %s",
				 kind, f->host_lo, strerror(-error));
	}
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hostnet_forward));
}

/* In the opposite order of adding, in which libslirp finds them at once. */
static unsigned remove_unwanted(struct hostnet *h, struct change *c)
{
	unsigned kept = 0;

	for (unsigned i = h->n_forwards; i-- > 0;) {
		struct wanted *w = bsearch(&h->forwards[i], c->wanted, c->n,
					   sizeof(*c->wanted), compare);

		if (w) {
			w->there = true;
			kept++;
			continue;
		}
		remove_one(h, &h->forwards[i]);
		h->forwards[i].host_lo = 0; /* no forward's */
	}
	return kept;
}

static void add_wanted(struct hostnet *h, struct change *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct wanted *w = &c->wanted[i];
		int error = w->there ? 0 : add_one(h, &w->one);

		if (w->there)
			continue;
		if (!error)
			h->forwards[h->n_forwards++] = w->one;
		else if (!c->errors[w->owner])
			c->errors[w->owner] = why_not(&w->one, error);
	}
}

/* On the port's thread. */
static void change_forwards(struct hostnet *h, void *change_)
{
	struct change *c = change_;
	unsigned kept = remove_unwanted(h, c), n = 0;
	struct hostnet_forward *now = xcalloc(c->n + 1, sizeof(*now));

	for (unsigned i = 0; i < h->n_forwards; i++)
		if (h->forwards[i].host_lo)
			now[n++] = h->forwards[i];
	free(h->forwards);
	h->forwards = now;
	h->n_forwards = kept;
	add_wanted(h, c);
	h->forwards_changed = true;
}

/* Each port by itself, all fields that are not used zero; NULL: too many. */
static struct wanted *expand(const struct hostnet_forward *forwards, unsigned n,
			     unsigned *n_wanted)
{
	struct wanted *wanted;
	unsigned total = 0, k = 0;

	for (unsigned i = 0; i < n; i++)
		total += forwards[i].host_hi - forwards[i].host_lo + 1u;
	if (total > HOSTNET_FORWARDS_MAX)
		return NULL;
	wanted = xcalloc(total + 1, sizeof(*wanted));
	for (unsigned i = 0; i < n; i++) {
		const struct hostnet_forward *f = &forwards[i];
		unsigned len = f->version == 4 ? 4 : 16;

		for (unsigned j = 0; f->host_lo + j <= f->host_hi; j++) {
			struct hostnet_forward *one = &wanted[k].one;

			one->udp = f->udp;
			one->version = f->version;
			memcpy(one->host, f->host, len);
			memcpy(one->inside, f->inside, len);
			one->host_lo = one->host_hi = f->host_lo + j;
			one->inside_port = f->inside_port + j;
			wanted[k++].owner = i;
		}
	}
	*n_wanted = total;
	return wanted;
}

static int check(const struct hostnet_forward *f)
{
	bool ok = (f->version == 4 || f->version == 6) && f->host_lo &&
		  f->host_lo <= f->host_hi && f->inside_port &&
		  f->inside_port + (f->host_hi - f->host_lo) <= UINT16_MAX;

	return ok ? 0 : -EINVAL;
}

int hostnet_set_forwards(struct port *port,
			 const struct hostnet_forward *forwards, unsigned n,
			 char **errors)
{
	struct change c = { .errors = errors };

	for (unsigned i = 0; i < n; i++) {
		errors[i] = NULL;
		if (check(&forwards[i]))
			return -EINVAL;
	}
	c.wanted = expand(forwards, n, &c.n);
	if (!c.wanted)
		return -E2BIG;
	qsort(c.wanted, c.n, sizeof(*c.wanted), compare);
	hostnet_call(hostnet_of(port), change_forwards, &c);
	free(c.wanted);
	return 0;
}
