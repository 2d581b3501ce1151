/*
 * Read-copy-update, QSBR flavour, by liburcu: how the control thread replaces
 * what workers read without a lock.
 *
 * A worker registers once, says rcu_quiescent() between two bursts (it holds
 * no pointer from rcu_read_pointer() there), and goes offline around a sleep.
 * The control thread publishes a new version, calls rcu_synchronize() and may
 * then free the old one.
 *
 * liburcu is not built for ThreadSanitizer; the annotations below tell it of
 * the order that the library gives.
 */
#ifndef BASE_RCU_H
#define BASE_RCU_H

#include <stdatomic.h>

/* Any thread that reads; before its first read, and before it ends. */
void rcu_reader_register(void);
void rcu_reader_unregister(void);

/* A registered reader: everything read so far is let go. */
void rcu_quiescent(void);
/* Around a sleep: synchronize does not wait for a reader that is offline. */
void rcu_reader_offline(void);
void rcu_reader_online(void);

/*
 * Waits until every reader has been quiescent once. Only a thread that is no
 * registered reader may call it; it takes microseconds while workers run.
 */
void rcu_synchronize(void);

#define rcu_read_pointer(p) atomic_load_explicit(&(p), memory_order_acquire)
#define rcu_publish_pointer(p, v)                                              \
	atomic_store_explicit(&(p), v, memory_order_release)

#endif
