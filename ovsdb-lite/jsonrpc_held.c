/*
 * How much all connections make the process hold, whatever thread they belong
 * to: see jsonrpc.h. The limit of each alone would let thousands of peers fill
 * the memory that a few may not.
 */
#include "ovsdb-lite/jsonrpc_private.h"

#include <stdatomic.h>

static atomic_size_t total;

void jsonrpc_hold(struct jsonrpc *rpc, size_t bytes)
{
	rpc->held += bytes;
	atomic_fetch_add_explicit(&total, bytes, memory_order_relaxed);
}

void jsonrpc_let_go(struct jsonrpc *rpc, size_t bytes)
{
	rpc->held -= bytes;
	atomic_fetch_sub_explicit(&total, bytes, memory_order_relaxed);
}

bool jsonrpc_may_hold(const struct jsonrpc *rpc)
{
	return rpc->held <= JSONRPC_FAIR_SHARE ||
	       atomic_load_explicit(&total, memory_order_relaxed) <=
		       JSONRPC_MAX_HELD;
}
