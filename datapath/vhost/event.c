/*
 * Reading and writing a front end's eventfds without waiting for it (event.h).
 *
 * Reading: preadv2() can be told not to wait, whatever the file's flags say.
 *
 * Writing has nothing like that. As long as no front end has cheated it is a
 * plain write(), and a thread looks every so often whether one lasts: then it
 * sends its caller a signal, and the write ends. From then on all of them go
 * another way: a read that must fail is submitted as asynchronous I/O, and the
 * kernel signals the eventfd when it is complete, which is immediately, and
 * never waits for room. That costs three times as much, so it is not the way
 * from the beginning.
 */
#include "vhost/event.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

LOG_MODULE(vhost);

#define INTERRUPT   (SIGRTMIN + 6)
#define AIO_EVENTS  256
#define AIO_TRIES   4
#define AIO_AT_ONCE 64
#define QUIET_LOOKS 20 /* without a call between them: then it sleeps */

/* A thread that calls the functions here. */
struct caller {
	pthread_t thread;
	_Atomic uint64_t calls; /* odd: in one */
	uint64_t seen;		/* when the watcher looked last */
	struct caller *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct caller *callers; /* the lock's */
static atomic_bool asleep;     /* the watcher, until wake_up */
static sem_t wake_up;
static pthread_key_t caller_key;
static __thread struct caller *self;

static aio_context_t aio; /* 0: there is none */
static atomic_bool wary;  /* a front end has cheated */

/* --- who may be waiting --------------------------------------------------- */

static void forget_caller(void *caller_)
{
	struct caller *caller = caller_;

	pthread_mutex_lock(&lock);
	for (struct caller **c = &callers; *c; c = &(*c)->next)
		if (*c == caller) {
			*c = caller->next;
			break;
		}
	pthread_mutex_unlock(&lock);
	self = NULL;
	free(caller);
}

static void make_known(void)
{
	sigset_t interrupt;

	self = xcalloc(1, sizeof(*self));
	self->thread = pthread_self();
	sigemptyset(&interrupt);
	sigaddset(&interrupt, INTERRUPT);
	pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
	pthread_setspecific(caller_key, self);
	pthread_mutex_lock(&lock);
	self->next = callers;
	callers = self;
	pthread_mutex_unlock(&lock);
}

static void begin_call(void)
{
	if (unlikely(!self))
		make_known();
	/* In one order with what the watcher does before it falls asleep. */
	atomic_store(&self->calls, self->calls + 1);
	if (unlikely(atomic_load(&asleep)) && atomic_exchange(&asleep, false))
		sem_post(&wake_up);
}

static void end_call(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&self->calls, self->calls + 1,
			      memory_order_relaxed);
}

/*
 * Interrupts those who are in the same call as the last time. Whether there was
 * any call since.
 */
static bool interrupt_stuck(void)
{
	bool any = false;

	pthread_mutex_lock(&lock);
	for (struct caller *c = callers; c; c = c->next) {
		uint64_t calls = atomic_load(&c->calls);

		if (calls & 1 && calls == c->seen)
			pthread_kill(c->thread, INTERRUPT);
		any |= calls & 1 || calls != c->seen;
		c->seen = calls;
	}
	pthread_mutex_unlock(&lock);
	return any;
}

/* Until a call begins. */
static void sleep_long(void)
{
	atomic_store(&asleep, true);
	if (interrupt_stuck()) {
		atomic_store(&asleep, false);
		return;
	}
	while (sem_wait(&wake_up) < 0)
		;
}

static void *watch(void *unused)
{
	const struct timespec interval = {
		.tv_nsec = VHOST_EVENT_STUCK_MS / 2 * 1000000L,
	};

	for (unsigned quiet = 0;;) {
		quiet = interrupt_stuck() ? 0 : quiet + 1;
		if (quiet < QUIET_LOOKS) {
			nanosleep(&interval, NULL);
			continue;
		}
		sleep_long();
		quiet = 0;
	}
	return unused;
}

static void interrupted(int signal)
{
}

static void start_watcher(void)
{
	/* Without SA_RESTART: that what is interrupted returns. */
	struct sigaction action = { .sa_handler = interrupted };
	sigset_t all, old;
	pthread_t thread;

	pthread_key_create(&caller_key, forget_caller);
	sem_init(&wake_up, 0, 0);
	sigaction(INTERRUPT, &action, NULL);
	if (syscall(SYS_io_setup, AIO_EVENTS, &aio))
		log_warn("no asynchronous I/O (%m): a front end that plays "
			 "with its eventfds can hold up a worker for %d ms "
			 "each time",
			 VHOST_EVENT_STUCK_MS);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, NULL, watch, NULL))
		log_err("cannot start a thread: a front end that plays with "
			"its eventfds can hold up a worker");
	else
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void vhost_event_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start_watcher);
}

/* --- signalling ----------------------------------------------------------- */

/* Room for what is to come: nobody asks for what these reads brought. */
static void forget_completed(void)
{
	struct timespec now = { 0 };
	struct io_event events[AIO_AT_ONCE];

	syscall(SYS_io_getevents, aio, 0, AIO_AT_ONCE, events, &now);
}

/* The read fails, since it is of less than a counter: at once, then. */
static enum vhost_event_result signal_by_aio(int fd)
{
	struct iocb read_nothing = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = fd,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = fd,
	};
	struct iocb *list = &read_nothing;

	for (unsigned i = 0; i < AIO_TRIES; i++) {
		if (syscall(SYS_io_submit, aio, 1, &list) == 1)
			return VHOST_EVENT_DONE;
		if (errno != EAGAIN)
			break;
		forget_completed();
	}
	return VHOST_EVENT_NOT;
}

static enum vhost_event_result was_stuck(void)
{
	if (!aio)
		return VHOST_EVENT_STUCK;
	if (!atomic_exchange(&wary, true))
		log_warn("a front end has made its eventfd block; from now on "
			 "they are signalled by asynchronous I/O, which cannot "
			 "be held up but costs more");
	return VHOST_EVENT_DONE;
}

enum vhost_event_result vhost_event_signal(int fd)
{
	static const uint64_t one = 1;
	ssize_t n;
	int error;

	if (unlikely(atomic_load_explicit(&wary, memory_order_relaxed)))
		return signal_by_aio(fd);
	begin_call();
	n = write(fd, &one, sizeof(one));
	error = errno;
	end_call();
	if (likely(n == sizeof(one)))
		return VHOST_EVENT_DONE;
	if (error == EINTR && !was_stuck())
		return signal_by_aio(fd);
	return error == EINTR ? VHOST_EVENT_STUCK : VHOST_EVENT_NOT;
}

/* --- taking --------------------------------------------------------------- */

/* A kernel, or a kind of descriptor, that cannot be told not to wait. */
static ssize_t read_watched(int fd, uint64_t *count)
{
	ssize_t n;
	int error;

	begin_call();
	n = read(fd, count, sizeof(*count));
	error = errno;
	end_call();
	errno = error;
	return n;
}

enum vhost_event_result vhost_event_take(int fd, uint64_t *count)
{
	struct iovec iov = { count, sizeof(*count) };
	ssize_t n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);

	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		n = read_watched(fd, count);
	if (n == sizeof(*count))
		return VHOST_EVENT_DONE;
	return n < 0 && errno == EINTR ? VHOST_EVENT_STUCK : VHOST_EVENT_NOT;
}
