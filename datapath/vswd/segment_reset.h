/* TCP segments to a gateway that nothing of its own listens for. */
#ifndef VSWD_SEGMENT_RESET_H
#define VSWD_SEGMENT_RESET_H

#include "vswd/segment.h"

/*
 * The frame that answers the packet, an IP packet with TCP in it: a reset (RFC
 * 9293 3.10.7.1). Its length; 0: it is no TCP segment, or a reset itself.
 */
#define SEGMENT_RESET_MAX (14 + 40 + 20)
size_t segment_reset_build(const struct segment_packet *packet, uint8_t *room);
/* Sends it, if not too many are sent already (segment_error.c). */
void segment_reset(struct segment *seg, const struct segment_packet *packet);

#endif
