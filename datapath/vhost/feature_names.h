/*
 * Features of a virtio network device by name, as QEMU and the specification's
 * short forms have them: for people, who read and write no bit numbers.
 */
#ifndef VHOST_FEATURE_NAMES_H
#define VHOST_FEATURE_NAMES_H

#include "base/util.h"

/* Of the negotiated features (virtio 1.2, 5.1.3 and 6); NULL: no name. */
const char *vhost_feature_name(unsigned bit);
/* Of the protocol features (vhost-user, "Protocol features"). */
const char *vhost_protocol_feature_name(unsigned bit);

/*
 * The bits that a switch of an interface's options stands for, e.g. "packed" or
 * "tso" (several); 0: there is no such switch.
 */
uint64_t vhost_feature_switch(const char *name);
/* The switches' names, by i from 0; NULL: no more. */
const char *vhost_feature_switch_name(size_t i);

#endif
