#include "base/rcu.h"

#include <urcu-qsbr.h>

#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif

#ifdef TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
static char order; /* stands for the order that a grace period gives */
#define order_release() __tsan_release(&order)
#define order_acquire() __tsan_acquire(&order)
#else
#define order_release() ((void)0)
#define order_acquire() ((void)0)
#endif

void rcu_reader_register(void)
{
	urcu_qsbr_register_thread();
}

void rcu_reader_unregister(void)
{
	order_release();
	urcu_qsbr_unregister_thread();
}

void rcu_quiescent(void)
{
	order_release();
	urcu_qsbr_quiescent_state();
}

void rcu_reader_offline(void)
{
	order_release();
	urcu_qsbr_thread_offline();
}

void rcu_reader_online(void)
{
	urcu_qsbr_thread_online();
}

void rcu_synchronize(void)
{
	urcu_qsbr_synchronize_rcu();
	order_acquire();
}
