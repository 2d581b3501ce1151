#include "discovery/transmit.h"

#define CREDIT_MS 1000

void transmit_start(struct transmit *t, uint64_t now_ms)
{
	t->running = true;
	t->now = false;
	t->fast = TX_FAST_INIT;
	t->credit = TX_CREDIT_MAX;
	t->due_ms = MAX(now_ms, t->not_before_ms);
	t->credit_ms = t->due_ms;
}

void transmit_stop(struct transmit *t)
{
	t->running = false;
}

void transmit_shut_down(struct transmit *t, uint64_t now_ms)
{
	t->running = false;
	t->not_before_ms = now_ms + TX_REINIT_MS;
}

void transmit_new_neighbor(struct transmit *t, uint64_t now_ms)
{
	if (!t->running)
		return;
	if (!t->fast)
		t->fast = TX_FAST_INIT;
	t->due_ms = MAX(now_ms, t->not_before_ms);
}

/* SIGNAL_TX */
static void signal_tx(struct transmit *t, uint64_t now_ms)
{
	t->now = true;
	t->due_ms = now_ms + (t->fast ? TX_FAST_MS : TX_INTERVAL_MS);
}

void transmit_local_change(struct transmit *t, uint64_t now_ms)
{
	if (t->running && now_ms >= t->not_before_ms)
		signal_tx(t, now_ms);
}

static void add_credit(struct transmit *t, uint64_t now_ms)
{
	uint64_t n;

	if (now_ms < t->credit_ms + CREDIT_MS)
		return;
	n = (now_ms - t->credit_ms) / CREDIT_MS;
	t->credit_ms += n * CREDIT_MS;
	t->credit = MIN(TX_CREDIT_MAX, t->credit + n);
}

bool transmit_run(struct transmit *t, uint64_t now_ms)
{
	if (!t->running)
		return false;
	add_credit(t, now_ms);
	if (now_ms >= t->due_ms) {
		if (t->fast)
			t->fast--;
		signal_tx(t, now_ms);
	}
	if (!t->now || !t->credit)
		return false;
	t->now = false;
	t->credit--;
	return true;
}

uint64_t transmit_next_ms(const struct transmit *t)
{
	if (!t->running)
		return UINT64_MAX;
	if (!t->now)
		return t->due_ms;
	return MIN(t->due_ms, t->credit ? 0 : t->credit_ms + CREDIT_MS);
}
