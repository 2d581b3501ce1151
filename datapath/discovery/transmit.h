/*
 * When to send: the transmit and the transmit timer machine of IEEE 802.1AB
 * (9.2.8, 9.2.10), of one protocol at one port.
 *
 * The standard's machine counts in ticks of a second; this one in milliseconds
 * that come in with each call, so that it need not be called while nothing is
 * due. Credits, which limit how often changes are told, are added when they are
 * asked for.
 */
#ifndef DISCOVERY_TRANSMIT_H
#define DISCOVERY_TRANSMIT_H

#include "base/util.h"

/* 9.2.5, the recommended values. */
#define TX_INTERVAL_MS 30000 /* msgTxInterval */
#define TX_HOLD	       4     /* msgTxHold */
#define TX_FAST_MS     1000  /* msgFastTx */
#define TX_FAST_INIT   4     /* txFastInit */
#define TX_CREDIT_MAX  5     /* txCreditMax, one more a second */
#define TX_REINIT_MS   2000  /* reinitDelay */
/* txTTL: how long the others are to remember us, in seconds. */
#define TX_TTL_S (TX_INTERVAL_MS / 1000 * TX_HOLD + 1)

struct transmit {
	bool running;		/* the port works and may send */
	bool now;		/* txNow: as soon as there is credit */
	unsigned fast;		/* txFast */
	unsigned credit;	/* txCredit */
	uint64_t credit_ms;	/* until when credits are added */
	uint64_t due_ms;	/* when txTTR is 0 */
	uint64_t not_before_ms; /* txShutdownWhile */
};

/* The port works and may send: says so at once, and some times more. */
void transmit_start(struct transmit *t, uint64_t now_ms);
/* The link went down: nothing can be sent. */
void transmit_stop(struct transmit *t);
/*
 * It must not send any more. The caller sends the last frame, of which the
 * others learn it. After that it is silent for a while (reinitDelay).
 */
void transmit_shut_down(struct transmit *t, uint64_t now_ms);

/* newNeighbor: it is to know us soon. */
void transmit_new_neighbor(struct transmit *t, uint64_t now_ms);
/* localChange: we have something else to say. */
void transmit_local_change(struct transmit *t, uint64_t now_ms);

/* True: send one now. */
bool transmit_run(struct transmit *t, uint64_t now_ms);
/* When to run next, at the latest; UINT64_MAX: never. */
uint64_t transmit_next_ms(const struct transmit *t);

#endif
