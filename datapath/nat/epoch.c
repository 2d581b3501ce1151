/*
 * When what was taken out of the tables may be used again. A worker notes the
 * epoch at nat_enter() and 0 at nat_leave(). What the control thread has taken
 * out waits until no worker is in an epoch of before: whoever enters later
 * cannot find it any more.
 */
#include "nat/fragment.h"
#include "nat/table.h"

void nat_enter(struct nat *nat, unsigned thread, uint64_t now_ms)
{
	struct nat_thread *t = &nat->threads[thread];

	atomic_store_explicit(
		&t->epoch,
		atomic_load_explicit(&nat->epoch, memory_order_acquire),
		memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	t->now_ms = now_ms;
	t->now_s = now_ms / 1000 + 1;
	t->view = atomic_load_explicit(&nat->view, memory_order_acquire);
	t->last_word = 0;
	t->last_outside = -1;
}

void nat_leave(struct nat *nat, unsigned thread)
{
	struct nat_thread *t = &nat->threads[thread];

	t->n_far = 0;
	if (t->n_released)
		nat_fragments_give_back(nat, t);
	t->view = NULL;
	atomic_store_explicit(&t->epoch, 0, memory_order_release);
}

static bool all_have_passed(const struct nat *nat, uint64_t epoch)
{
	uint64_t at;

	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < nat->config.n_threads; i++) {
		at = atomic_load_explicit(&nat->threads[i].epoch,
					  memory_order_acquire);
		if (at && at <= epoch)
			return false;
	}
	return true;
}

static void free_view(struct nat_view *view)
{
	free(view->exclusions);
	free(view->by_word);
	free(view->outsides[0]);
	free(view->outsides[1]);
	free(view);
}

static void free_views(struct nat_view *view)
{
	struct nat_view *next;

	for (; view; view = next) {
		next = view->next;
		free_view(view);
	}
}

/* Two lists of each kind: what ended in this epoch, and in the one before. */
void nat_turn(struct nat *nat)
{
	if (!all_have_passed(nat, nat->waiting_epoch))
		return;
	nat_pool_turn(&nat->sessions);
	nat_pool_turn(&nat->mappings);
	nat_pool_turn(&nat->clients);
	free_views(nat->waiting_views);
	nat->waiting_views = nat->old_views;
	nat->old_views = NULL;
	nat_outside_turn(nat);
	nat->waiting_epoch = atomic_fetch_add(&nat->epoch, 1);
}

void nat_publish(struct nat *nat, struct nat_view *view)
{
	struct nat_view *old = atomic_exchange_explicit(&nat->view, view,
							memory_order_acq_rel);

	if (!old)
		return;
	if (!view) { /* at the end */
		free_view(old);
		free_views(nat->old_views);
		free_views(nat->waiting_views);
		return;
	}
	old->next = nat->old_views;
	nat->old_views = old;
}
