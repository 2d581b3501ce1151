/*
 * A hypervisor for tests and fuzz targets of vmm/: it notes what devices asked
 * for, and the test raises and takes what KVM would.
 */
#ifndef TESTS_SUPPORT_VMM_HYPERVISOR_H
#define TESTS_SUPPORT_VMM_HYPERVISOR_H

#include <pthread.h>

#include "vmm/machine/hypervisor.h"

enum { MOCK_MAX_IOEVENTFDS = 2048 };

struct mock_hypervisor {
	struct hypervisor hypervisor;
	pthread_mutex_t lock;
	struct mock_msi {
		uint64_t addr;
		uint32_t data;
		bool routed;
		int fd; /* of its irqfd; -1: none */
	} msi[HYPERVISOR_MAX_GSI];
	struct mock_ioeventfd {
		uint64_t addr;
		int fd;
	} ioeventfds[MOCK_MAX_IOEVENTFDS];
	unsigned int n_ioeventfds, n_irqfds;
	bool levels[HYPERVISOR_FIRST_MSI_GSI];
	unsigned int n_routes; /* calls of route_msi */
	int fail;	       /* what route_msi returns; 0 */
};

void mock_hypervisor_init(struct mock_hypervisor *mock);
void mock_hypervisor_uninit(struct mock_hypervisor *mock);
/* Takes the interrupts raised since the last call at the vectors that are
 * connected and routed to this data; how many vectors had one. */
unsigned int mock_take_interrupts(struct mock_hypervisor *mock, uint32_t data);
/* A guest's write: whether an ioeventfd took it. */
bool mock_notify(struct mock_hypervisor *mock, uint64_t addr);

#endif
