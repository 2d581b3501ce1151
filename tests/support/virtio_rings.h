/* The two kinds of ring, for virtio_driver.c alone. */
#ifndef TESTS_VIRTIO_RINGS_H
#define TESTS_VIRTIO_RINGS_H

#include "virtio_driver.h"

void driver_split_init(struct driver_queue *q);
void driver_split_add(struct driver_queue *q, const struct driver_part *parts,
		      unsigned n, bool indirect, unsigned token);
void driver_split_publish(struct driver_queue *q);
bool driver_split_kick_wanted(struct driver_queue *q);
bool driver_split_peek(const struct driver_queue *q, uint16_t *id,
		       uint32_t *len);
void driver_split_advance(struct driver_queue *q);
void driver_split_free(struct driver_queue *q, uint16_t id);
void driver_split_calls(struct driver_queue *q, int after);

void driver_packed_init(struct driver_queue *q);
void driver_packed_add(struct driver_queue *q, const struct driver_part *parts,
		       unsigned n, bool indirect, unsigned token);
void driver_packed_publish(struct driver_queue *q);
bool driver_packed_kick_wanted(struct driver_queue *q);
bool driver_packed_peek(const struct driver_queue *q, uint16_t *id,
			uint32_t *len);
void driver_packed_advance(struct driver_queue *q, unsigned n_desc);
void driver_packed_free(struct driver_queue *q, uint16_t id);
void driver_packed_calls(struct driver_queue *q, int after);

/* Chains all descriptors, or ids, as free; split: from next_avail on. */
void driver_init_free(struct driver_queue *q);
void driver_write_table(struct driver_queue *q, uint16_t id,
			const struct driver_part *parts, unsigned n);
/* Writes down that the device is to have a buffer. */
void driver_note(struct driver_queue *q, uint16_t id, unsigned n_desc,
		 const struct driver_part *parts, unsigned n, unsigned token);

void driver_slots_init(struct driver_queue *q);

#endif
