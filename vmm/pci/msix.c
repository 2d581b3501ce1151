/*
 * MSI-X (PCI 3.0, 6.8.2): a table of messages that a guest fills, in a page of
 * the BAR, and a page of pending bits behind it. Each vector is an eventfd. One
 * that may interrupt is connected to KVM; one that is masked is not, so that
 * what is signalled meanwhile stays in the eventfd: that is its pending bit,
 * and connecting it again delivers it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/machine/snapshot.h"
#include "vmm/pci/pci_internal.h"

LOG_MODULE(pci);

enum { WORD_ADDRESS, WORD_ADDRESS_HIGH, WORD_DATA, WORD_CONTROL };
enum { PENDING_PAGE = 0x1000 };

static bool is_pending(const struct msix_vector *v)
{
	struct pollfd fd = { .fd = v->fd, .events = POLLIN };

	return !v->connected && poll(&fd, 1, 0) == 1;
}

static void drain(const struct msix_vector *v)
{
	eventfd_t count;

	(void)eventfd_read(v->fd, &count); /* there need be none */
}

/* Connects or disconnects it, as the table and the function say. */
static void update(struct msix *msix, struct msix_vector *v)
{
	struct hypervisor *hv = msix->hypervisor;
	bool on = msix->on &&
		  !(v->entry[WORD_CONTROL] & PCI_MSIX_ENTRY_CTRL_MASKBIT);
	int error = 0;

	/* Not again the same: that costs KVM a lot. */
	if (on && memcmp(v->route, v->entry, sizeof(v->route))) {
		memcpy(v->route, v->entry, sizeof(v->route));
		error = hv->ops->route_msi(hv, v->gsi,
					   (uint64_t)v->entry[WORD_ADDRESS_HIGH]
							   << 32 |
						   v->entry[WORD_ADDRESS],
					   v->entry[WORD_DATA]);
	}
	if (error)
		memset(v->route, 0, sizeof(v->route));
	on &= !error;
	if (on != v->connected) {
		error = hv->ops->connect_irqfd(hv, v->gsi, v->fd, on);
		v->connected ^= !error;
	}
	if (error)
		log_warn_limited("interrupt of GSI %u: %s", v->gsi,
				 strerror(-error));
}

int msix_init(struct msix *msix, struct hypervisor *hypervisor,
	      unsigned int slot, unsigned int n, char **errp)
{
	_Static_assert(HYPERVISOR_FIRST_MSI_GSI + PCI_SLOTS * PCI_MAX_VECTORS <=
			       HYPERVISOR_MAX_GSI,
		       "each slot has GSIs of its own");
	pthread_mutex_init(&msix->lock, NULL);
	msix->hypervisor = hypervisor;
	msix->vectors = xcalloc(PCI_MAX_VECTORS, sizeof(*msix->vectors));
	for (; msix->n < n; msix->n++) {
		struct msix_vector *v = &msix->vectors[msix->n];

		v->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (v->fd < 0) {
			int error = -errno;

			msix_uninit(msix);
			return set_error(errp, error,
					 "no more interrupts to be had for PCI "
					 "cards: %s",
					 strerror(-error));
		}
		v->gsi = HYPERVISOR_FIRST_MSI_GSI + slot * PCI_MAX_VECTORS +
			 msix->n;
		v->entry[WORD_CONTROL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}
	return 0;
}

void msix_uninit(struct msix *msix)
{
	msix_set_on(msix, false);
	for (unsigned int i = 0; i < msix->n; i++)
		close(msix->vectors[i].fd);
	free(msix->vectors);
	pthread_mutex_destroy(&msix->lock);
}

void msix_set_on(struct msix *msix, bool on)
{
	pthread_mutex_lock(&msix->lock);
	msix->on = on;
	for (unsigned int i = 0; i < msix->n; i++)
		update(msix, &msix->vectors[i]);
	pthread_mutex_unlock(&msix->lock);
}

void msix_reset(struct msix *msix)
{
	msix_set_on(msix, false);
	pthread_mutex_lock(&msix->lock);
	for (unsigned int i = 0; i < msix->n; i++) {
		struct msix_vector *v = &msix->vectors[i];

		memset(v->entry, 0, sizeof(v->entry));
		v->entry[WORD_CONTROL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		drain(v);
	}
	pthread_mutex_unlock(&msix->lock);
}

static uint64_t pending_bits(const struct msix *msix)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < msix->n; i++)
		bits |= (uint64_t)is_pending(&msix->vectors[i]) << i;
	return bits;
}

/* Accesses are of 4 or 8 bytes, and aligned to that (6.8.2). */
uint64_t msix_read(struct msix *msix, uint64_t offset, unsigned int length)
{
	uint64_t i = offset / 16, word = offset % 16 / 4, value = 0;

	if (length < 4 || offset % length)
		return 0;
	pthread_mutex_lock(&msix->lock);
	if (offset == PENDING_PAGE || offset == PENDING_PAGE + 4) {
		value = pending_bits(msix) >> (offset - PENDING_PAGE) * 8;
	} else if (i < msix->n) {
		value = msix->vectors[i].entry[word];
		if (length == 8)
			value |= (uint64_t)msix->vectors[i].entry[word + 1]
				 << 32;
	}
	pthread_mutex_unlock(&msix->lock);
	return value;
}

void msix_write(struct msix *msix, uint64_t offset, unsigned int length,
		uint64_t value)
{
	uint64_t i = offset / 16, word = offset % 16 / 4;
	struct msix_vector *v;

	if (length < 4 || offset % length || i >= msix->n)
		return;
	pthread_mutex_lock(&msix->lock);
	v = &msix->vectors[i];
	v->entry[word] = (uint32_t)value;
	if (length == 8)
		v->entry[word + 1] = value >> 32;
	v->entry[WORD_CONTROL] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
	update(msix, v);
	pthread_mutex_unlock(&msix->lock);
}

struct msix_saved {
	uint64_t pending;
	uint32_t table[PCI_MAX_VECTORS][4];
};

static size_t saved_size(const struct msix *msix)
{
	return offsetof(struct msix_saved, table) +
	       msix->n * sizeof(((struct msix_saved *)0)->table[0]);
}

json_t *msix_save(struct msix *msix)
{
	struct msix_saved saved;

	pthread_mutex_lock(&msix->lock);
	saved.pending = pending_bits(msix);
	for (unsigned int i = 0; i < msix->n; i++)
		memcpy(saved.table[i], msix->vectors[i].entry,
		       sizeof(saved.table[i]));
	pthread_mutex_unlock(&msix->lock);
	return snapshot_bytes(&saved, saved_size(msix));
}

/* With the function's MSI-X off: switching it on delivers what was pending. */
int msix_restore(struct msix *msix, const json_t *state, char **errp)
{
	struct msix_saved saved;

	if (snapshot_from_bytes(state, &saved, saved_size(msix)))
		return set_error(errp, -EINVAL,
				 "the saved interrupts of a PCI card are not "
				 "those of this one");
	msix_reset(msix);
	pthread_mutex_lock(&msix->lock);
	for (unsigned int i = 0; i < msix->n; i++) {
		struct msix_vector *v = &msix->vectors[i];

		memcpy(v->entry, saved.table[i], sizeof(v->entry));
		v->entry[WORD_CONTROL] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
		if (saved.pending >> i & 1)
			eventfd_write(v->fd, 1);
	}
	pthread_mutex_unlock(&msix->lock);
	return 0;
}
