/*
 * The thread of a port to the host's sockets. It sleeps in one poll() on all
 * descriptors of libslirp, those of pings, and one by which others wake it.
 *
 * libslirp cannot be told to wait: what it sends when there is no room is lost,
 * and comes again half a second later. So nothing that may make it send is done
 * while there is not room enough for it: sockets are not read and frames not
 * taken. While it has no connection it needs no time, and the thread sleeps
 * without end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "packet/parse.h"
#include "port/hostnet_internal.h"

LOG_MODULE(hostnet);

#define TICK_MS	     499 /* of libslirp's timers */
#define FD_KICK	     0	 /* its place in fds */
#define BACKLOG	     128 /* connections to a forward that wait */
#define NUDGE_SIGNAL SIGURG
#define NUDGE_MS     20

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void hostnet_drop(struct hostnet *h, enum drop_reason reason)
{
	counter_add(&h->drops[reason], 1);
}

void hostnet_wake(struct hostnet *h)
{
	uint64_t one = 1;

	/* What it is to find is visible before we look whether it sleeps. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&h->asleep, memory_order_relaxed) ||
	    !atomic_exchange(&h->asleep, false))
		return;
	if (write(h->kick_fd, &one, sizeof(one)) < 0)
		log_warn_limited("%s: cannot wake its thread: %m", h->up.name);
}

/* --- to machines ---------------------------------------------------------- */

static void wake_worker(struct hostnet *h)
{
	uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&h->armed, memory_order_relaxed) ||
	    !atomic_exchange(&h->armed, false))
		return;
	if (write(h->rxq.fd, &one, sizeof(one)) < 0)
		log_warn_limited("%s: cannot wake a worker: %m", h->up.name);
}

static void deliver_one(struct hostnet *h, const uint8_t *frame, uint32_t len)
{
	struct hostnet_record *record =
		hostnet_ring_reserve(h->to_machines, len);

	if (!record) {
		hostnet_drop(h, DROP_RX_OVERFLOW);
		return;
	}
	memcpy(record->frame, frame, len);
	if (!hostnet_frame_out(&h->options.net, &h->memory, record->frame, len,
			       &record->offload)) {
		hostnet_drop(h, DROP_NO_DESTINATION);
		return; /* not committed: its room is the next one's */
	}
	hostnet_ring_commit(h->to_machines);
	wake_worker(h);
}

/* An answer to a ping: TCP and UDP are cut further on. */
static bool must_be_cut(const struct hostnet *h, const uint8_t *frame,
			uint32_t len)
{
	unsigned at = ETH_HEADER_LEN;

	if (len <= ETH_HEADER_LEN + h->options.net.mtu)
		return false;
	if (load_be16(frame + 12) == ETH_TYPE_IPV4)
		return frame[at] == 0x45 && frame[at + 9] == IPPROTO_ICMP;
	return load_be16(frame + 12) == ETH_TYPE_IPV6 &&
	       frame[at + 6] == IPPROTO_ICMPV6;
}

void hostnet_deliver(struct hostnet *h, const uint8_t *frame, uint32_t len)
{
	uint32_t at = 0, n;

	if (!must_be_cut(h, frame, len)) {
		deliver_one(h, frame, len);
		return;
	}
	h->last_id++;
	while ((n = hostnet_fragment_cut(&h->options.net, frame, len,
					 h->last_id, &at, h->piece)))
		deliver_one(h, h->piece, n);
}

bool hostnet_has_room(struct hostnet *h)
{
	if (hostnet_ring_room(h->to_machines) >= HOSTNET_TURN)
		return true;
	atomic_store(&h->wants_room, true);
	/* Look again after saying so: nothing is slept through. */
	atomic_thread_fence(memory_order_seq_cst);
	return hostnet_ring_room(h->to_machines) >= HOSTNET_TURN;
}

/* --- what libslirp calls -------------------------------------------------- */

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct hostnet *h = opaque;
	uint8_t answer[HOSTNET_ANSWER_MAX];
	uint32_t n = hostnet_frame_answer(&h->options.net, buf, len, answer);

	if (!n) {
		hostnet_deliver(h, buf, len);
		return len;
	}
	/*
	 * It learns the address at once, and sends the packet that needs it
	 * when it is called next.
	 */
	slirp_input(h->slirp, answer, n);
	h->delayed = true;
	return len;
}

static void guest_error(const char *message, void *opaque)
{
	const struct hostnet *h = opaque;

	log_warn_limited("%s: %s", h->up.name, message);
}

static int64_t clock_ns(void *opaque)
{
	return now_ns();
}

/* Its only timer sends router advertisements, which are the gateway's. */
static void *no_timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
	return opaque;
}

static void no_timer_free(void *timer, void *opaque)
{
}

static void no_timer_mod(void *timer, int64_t expire_time, void *opaque)
{
}

static void opened(int fd, void *opaque)
{
	struct hostnet *h = opaque;

	hostnet_sessions_add(h->sessions, fd, h->current);
	if (h->current)
		hostnet_half_open_remove(&h->half_open, h->current);
}

static void closed(int fd, void *opaque)
{
	struct hostnet *h = opaque;

	hostnet_sessions_remove(h->sessions, fd);
}

static void notify(void *opaque)
{
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new = no_timer_new,
	.timer_free = no_timer_free,
	.timer_mod = no_timer_mod,
	.register_poll_fd = opened,
	.unregister_poll_fd = closed,
	.notify = notify,
};

/* --- waiting -------------------------------------------------------------- */

int hostnet_watch(struct hostnet *h, int fd, short events)
{
	if (h->n_fds == h->fds_size) {
		h->fds_size = MAX(2 * h->fds_size, 64u);
		h->fds = xrealloc(h->fds, h->fds_size * sizeof(*h->fds));
	}
	h->fds[h->n_fds].fd = fd;
	h->fds[h->n_fds].events = events;
	h->fds[h->n_fds].revents = 0;
	return h->n_fds++;
}

static const struct {
	int slirp;
	short poll;
} events_of[] = {
	{ SLIRP_POLL_IN, POLLIN },   { SLIRP_POLL_OUT, POLLOUT },
	{ SLIRP_POLL_PRI, POLLPRI }, { SLIRP_POLL_ERR, POLLERR },
	{ SLIRP_POLL_HUP, POLLHUP },
};

static int add_poll(int fd, int events, void *opaque)
{
	struct hostnet *h = opaque;
	short wanted = 0;

	if (!hostnet_sessions_has(h->sessions, fd)) {
		/* A connection to a forward waits while no more may begin. */
		if (hostnet_sessions_full(h->sessions))
			return -1;
		/* libslirp lets only one wait; of UDP this means nothing. */
		if (h->forwards_changed)
			listen(fd, BACKLOG);
	}
	for (size_t i = 0; i < ARRAY_SIZE(events_of); i++)
		if (events & events_of[i].slirp)
			wanted |= events_of[i].poll;
	return hostnet_watch(h, fd, wanted);
}

static int get_revents(int index, void *opaque)
{
	struct hostnet *h = opaque;
	int events = 0;

	if (index < 0 || (unsigned)index >= h->n_fds ||
	    !h->fds[index].revents || !hostnet_has_room(h))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(events_of); i++)
		if (h->fds[index].revents & events_of[i].poll)
			events |= events_of[i].slirp;
	return events;
}

static bool has_sessions(const struct hostnet *h)
{
	return hostnet_sessions_count(h->sessions, HOSTNET_TCP) ||
	       hostnet_sessions_count(h->sessions, HOSTNET_UDP) ||
	       hostnet_sessions_count(h->sessions, HOSTNET_PING);
}

static bool must_not_sleep(struct hostnet *h, bool room)
{
	return (room && hostnet_frames_wait(h)) || atomic_load(&h->has_call) ||
	       atomic_load(&h->stop);
}

static void sleep_until_event(struct hostnet *h, int timeout, bool room)
{
	uint64_t count;

	if (timeout) {
		atomic_store(&h->asleep, true);
		atomic_thread_fence(memory_order_seq_cst);
		if (must_not_sleep(h, room))
			timeout = 0;
	}
	if (poll(h->fds, h->n_fds, timeout) < 0) {
		for (unsigned i = 0; i < h->n_fds; i++)
			h->fds[i].revents = 0;
	}
	atomic_store(&h->asleep, false);
	if (h->fds[FD_KICK].revents &&
	    read(h->kick_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_warn_limited("%s: eventfd: %m", h->up.name);
}

static void serve_sockets(struct hostnet *h)
{
	bool room = hostnet_has_room(h);
	uint32_t timeout = UINT32_MAX;
	uint64_t now = now_ns();

	h->memory.now_s = now / 1000000000;
	h->n_fds = 0;
	hostnet_watch(h, h->kick_fd, POLLIN);
	if (!room) {
		sleep_until_event(h, TICK_MS, false);
		return;
	}
	slirp_pollfds_fill(h->slirp, &timeout, add_poll, h);
	h->forwards_changed = false;
	hostnet_pings_fill(h->pings, now / 1000000);
	timeout = h->delayed ? 0 : MIN(timeout, TICK_MS);
	h->delayed = false;
	sleep_until_event(h, !timeout || has_sessions(h) ? (int)timeout : -1,
			  true);
	slirp_pollfds_poll(h->slirp, 0, get_revents, h);
	hostnet_pings_poll(h->pings);
}

static void run_call(struct hostnet *h)
{
	if (!atomic_load(&h->has_call))
		return;
	pthread_mutex_lock(&h->lock);
	h->call(h, h->call_arg);
	atomic_store(&h->has_call, false);
	pthread_cond_signal(&h->called);
	pthread_mutex_unlock(&h->lock);
}

static void *thread_main(void *h_)
{
	struct hostnet *h = h_;

	sandbox_enter_sockets();
	while (!atomic_load(&h->stop)) {
		run_call(h);
		hostnet_take_frames(h);
		serve_sockets(h);
	}
	pthread_mutex_lock(&h->lock);
	atomic_store(&h->stopped, true);
	pthread_cond_signal(&h->called);
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/*
 * libslirp waits in connect() while the name service, which is the control
 * thread's, has more connections to accept than its socket keeps. The control
 * thread cannot wait for that in turn: a signal that does nothing ends it.
 */
static void wait_while(struct hostnet *h, const _Atomic bool *flag, bool value)
{
	struct timespec until;

	while (atomic_load(flag) == value) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += NUDGE_MS * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		if (pthread_cond_clockwait(&h->called, &h->lock,
					   CLOCK_MONOTONIC, &until))
			pthread_kill(h->thread, NUDGE_SIGNAL);
	}
}

void hostnet_call(struct hostnet *h, void (*fn)(struct hostnet *, void *),
		  void *arg)
{
	pthread_mutex_lock(&h->lock);
	h->call = fn;
	h->call_arg = arg;
	atomic_store(&h->has_call, true);
	hostnet_wake(h);
	wait_while(h, &h->has_call, true);
	pthread_mutex_unlock(&h->lock);
}

/* --- beginning and end ---------------------------------------------------- */

/*
 * Nothing but the gateway's address means anything to libslirp. It may connect
 * that to the host's loopback: what gets so far is decided in hostnet_frame.c,
 * which knows of answers to forwards, too.
 */
static Slirp *make_slirp(struct hostnet *h)
{
	const struct hostnet_net *net = &h->options.net;
	SlirpConfig config = {
		.version = 4,
		.restricted = !net->way_out,
		.in_enabled = net->has_ip4,
		.vnetwork.s_addr = htonl(net->ip4 & net->mask4),
		.vnetmask.s_addr = htonl(net->mask4),
		.vhost.s_addr = htonl(net->ip4),
		.in6_enabled = net->has_ip6,
		.vprefix_len = net->prefix6,
		.if_mtu = HOSTNET_IP_MAX,
		.if_mru = HOSTNET_IP_MAX,
		.disable_dns = true,
		.disable_dhcp = true,
	};

	memcpy(&config.vhost6, net->ip6, sizeof(config.vhost6));
	memcpy(&config.vprefix_addr6, net->ip6, sizeof(config.vprefix_addr6));
	return slirp_new(&config, &callbacks, h);
}

static int add_dns(struct hostnet *h, char **errp)
{
	const struct hostnet_net *net = &h->options.net;
	struct in_addr ip = { .s_addr = htonl(net->ip4 & net->mask4) };

	if (!net->dns ||
	    !slirp_add_unix(h->slirp, h->options.dns_socket, &ip, 53))
		return 0;
	return set_error(errp, -EINVAL, "%s: libslirp refused TCP port 53",
			 h->up.name);
}

static void do_nothing(int signal)
{
}

/*
 * Signals are the control thread's, that of a closed socket nobody's; but for
 * wait_while()'s.
 */
static int start(struct hostnet *h, char **errp)
{
	const struct sigaction nudged = { .sa_handler = do_nothing };
	sigset_t all, old;
	int error;

	sigaction(NUDGE_SIGNAL, &nudged, NULL);
	sigfillset(&all);
	sigdelset(&all, NUDGE_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&h->thread, NULL, thread_main, h);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return set_error(errp, -error,
				 "%s: could not start a thread: %s", h->up.name,
				 strerror(error));
	h->has_thread = true;
	pthread_setname_np(h->thread, "vswd-hostnet");
	return 0;
}

int hostnet_thread_start(struct hostnet *h, char **errp)
{
	int error;

	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->called, NULL);
	if (getrandom(&h->memory.seed, sizeof(h->memory.seed), 0) < 0)
		h->memory.seed = now_ns();
	h->sessions = hostnet_sessions_create(h->options.sessions_max,
					      h->options.client_sessions_max);
	h->pings = hostnet_pings_create(h);
	h->fragments = hostnet_fragments_create();
	h->piece = xmalloc(ETH_HEADER_LEN + h->options.net.mtu);
	h->slirp = make_slirp(h);
	if (!h->slirp)
		return set_error(errp, -EINVAL,
				 "%s: libslirp refused its configuration",
				 h->up.name);
	error = add_dns(h, errp);
	return error ? error : start(h, errp);
}

void hostnet_thread_stop(struct hostnet *h)
{
	if (h->has_thread) {
		atomic_store(&h->stop, true);
		hostnet_wake(h);
		pthread_mutex_lock(&h->lock);
		wait_while(h, &h->stopped, false);
		pthread_mutex_unlock(&h->lock);
		pthread_join(h->thread, NULL);
	}
	if (h->slirp)
		slirp_cleanup(h->slirp);
	hostnet_pings_destroy(h->pings);
	hostnet_sessions_destroy(h->sessions);
	hostnet_fragments_destroy(h->fragments);
	free(h->piece);
	free(h->fds);
}
