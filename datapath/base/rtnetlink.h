/*
 * One request to rtnetlink. It has a socket of its own: requests are rare, and
 * an answer can then belong to nothing else.
 */
#ifndef BASE_RTNETLINK_H
#define BASE_RTNETLINK_H

#include <libmnl/libmnl.h>

#include "base/util.h"

/*
 * Sends nlh, which has room for its sequence number, and waits for the one
 * answer or acknowledgement. take (may be NULL) gets each message of the
 * answer. 0 or -errno, which may be the kernel's.
 */
int rtnetlink_request(struct nlmsghdr *nlh, mnl_cb_t take, void *arg);

#endif
