/* A guest with one network card (vmm_card.h). */
#include "tests/support/vmm_card.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

enum { RINGS = 0x100000, MEMORY = 8 << 20, ETHER = 14, TYPE = 0x88b5 };

static void on_config_changed(struct virtio_device *device)
{
	struct card *card = device->transport;

	card->n_config_changes++;
}

void card_init(struct card *card, struct event_base *loop)
{
	memset(card, 0, sizeof(*card));
	card->loop = loop;
	MUST(!guest_memory_create(&card->memory, MEMORY, false, NULL));
}

static void give_buffer(struct card *card, unsigned int queue, uint64_t at)
{
	const struct vmm_part part = { at, CARD_BUFFER };
	int id = vmm_ring_add(&card->driver.rings[queue], &part, 0, 1, false);

	MUST(id >= 0);
	card->buffer_of[queue / 2][id] = at;
}

static bool begin(struct card *card)
{
	if (!vmm_driver_start(&card->driver))
		return false;
	for (unsigned int q = 0; q < card->control; q += 2) {
		for (unsigned int i = 0; i < CARD_BUFFERS; i++)
			give_buffer(card, q,
				    card->buffers + (q / 2 * CARD_BUFFERS + i) *
							    CARD_BUFFER);
		vmm_ring_kick(&card->driver.rings[q]);
	}
	return true;
}

bool card_start(struct card *card, uint64_t features)
{
	struct vmm_driver *d = &card->driver;

	card->device->transport = card;
	card->device->config_changed = on_config_changed;
	vmm_driver_init(d, card->device, &card->memory, RINGS, features);
	card->buffers = vmm_driver_alloc(
		d, CARD_PAIRS * CARD_BUFFERS * CARD_BUFFER, 4096);
	card->scratch = vmm_driver_alloc(d, 256 * 1024, 4096);
	card->control = features >> VIRTIO_NET_F_MQ & 1
				? card->device->n_queues - 1
				: 2;
	return begin(card);
}

bool card_restart(struct card *card)
{
	vmm_driver_reset(&card->driver);
	return begin(card);
}

void card_uninit(struct card *card)
{
	if (card->device) {
		pthread_mutex_lock(&card->device->lock);
		virtio_device_stop(card->device);
		pthread_mutex_unlock(&card->device->lock);
		if (card->driver.device)
			vmm_driver_uninit(&card->driver);
		card->device->ops->destroy(card->device);
	}
	guest_memory_destroy(&card->memory);
}

bool card_wait(struct event_base *loop, bool (*done)(void *aux), void *aux)
{
	time_t end = time(NULL) + 20;

	while (!done(aux)) {
		const struct timeval tick = { .tv_usec = 2000 };

		if (time(NULL) > end)
			return false;
		event_base_loopexit(loop, &tick);
		event_base_dispatch(loop);
	}
	return true;
}

void card_send(struct card *card, unsigned int pair, uint32_t length,
	       uint32_t number)
{
	struct vmm_ring *ring = &card->driver.rings[2 * pair + 1];
	struct vmm_part part = { card->scratch, CARD_HEADER + length };
	uint8_t *frame = vmm_driver_at(&card->driver, card->scratch);
	unsigned int id;
	uint32_t used;

	while (vmm_ring_used(ring, &id, &used))
		;
	/* A place for each, since some may not have been sent yet. */
	part.addr += number % 3 * 80 * 1024;
	frame += number % 3 * 80 * 1024;
	memset(frame, 0, part.length);
	frame += CARD_HEADER;
	memset(frame, 0xff, 6);
	memcpy(frame + 6, (const uint8_t[]){ 2, 0, 0, 0, 0, pair }, 6);
	frame[12] = TYPE >> 8;
	frame[13] = TYPE & 0xff;
	memcpy(frame + ETHER, &number, sizeof(number));
	MUST(vmm_ring_add(ring, &part, 1, 0, false) >= 0);
	vmm_ring_kick(ring);
}

static bool take_buffer(struct card *card, unsigned int queue)
{
	uint32_t length;
	unsigned int id;
	uint64_t at;

	if (!vmm_ring_used(&card->driver.rings[queue], &id, &length))
		return false;
	at = card->buffer_of[queue / 2][id];
	MUST(length <= CARD_BUFFER &&
	     card->length + length <= sizeof(card->frame));
	memcpy(card->frame + card->length, vmm_driver_at(&card->driver, at),
	       length);
	card->length += length;
	give_buffer(card, queue, at);
	return true;
}

bool card_receive(struct card *card)
{
	const struct virtio_net_hdr_v1 *header = (void *)card->frame;
	unsigned int queue = 0;

	card->length = 0;
	while (queue < card->control && !take_buffer(card, queue))
		queue += 2;
	if (queue >= card->control)
		return false;
	for (unsigned int i = 1; i < header->num_buffers; i++)
		MUST(take_buffer(card, queue));
	vmm_ring_kick(&card->driver.rings[queue]);
	return true;
}

uint32_t card_number(const struct card *card)
{
	uint32_t number;

	memcpy(&number, card->frame + CARD_HEADER + ETHER, sizeof(number));
	return number;
}

static bool is_answered(void *aux)
{
	struct card *card = aux;
	unsigned int id;
	uint32_t length;

	return vmm_ring_used(&card->driver.rings[card->control], &id, &length);
}

int card_command(struct card *card, uint8_t class, uint8_t command,
		 const void *data, uint32_t length)
{
	struct vmm_ring *ring = &card->driver.rings[card->control];
	const struct vmm_part parts[] = { { card->scratch, 2 + length },
					  { card->scratch + 4096, 1 } };
	uint8_t *at = vmm_driver_at(&card->driver, card->scratch);

	at[0] = class;
	at[1] = command;
	if (length)
		memcpy(at + 2, data, length);
	at[4096] = 0xee;
	MUST(vmm_ring_add(ring, parts, 1, 1, false) >= 0);
	vmm_ring_kick(ring);
	return card_wait(card->loop, is_answered, card) ? at[4096] : -1;
}
