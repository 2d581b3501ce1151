/* A hypervisor for tests (vmm_hypervisor.h). */
#include "vmm_hypervisor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static struct mock_hypervisor *mock_of(struct hypervisor *hypervisor)
{
	return CONTAINER_OF(hypervisor, struct mock_hypervisor, hypervisor);
}

static int route_msi(struct hypervisor *hypervisor, unsigned int gsi,
		     uint64_t addr, uint32_t data)
{
	struct mock_hypervisor *mock = mock_of(hypervisor);
	struct mock_msi *msi = &mock->msi[gsi];

	if (gsi < HYPERVISOR_FIRST_MSI_GSI || gsi >= HYPERVISOR_MAX_GSI)
		return -EINVAL;
	if (mock->fail)
		return mock->fail;
	pthread_mutex_lock(&mock->lock);
	msi->addr = addr;
	msi->data = data;
	msi->routed = true;
	mock->n_routes++;
	pthread_mutex_unlock(&mock->lock);
	return 0;
}

static int connect_irqfd(struct hypervisor *hypervisor, unsigned int gsi,
			 int fd, bool on)
{
	struct mock_hypervisor *mock = mock_of(hypervisor);
	struct mock_msi *msi = &mock->msi[gsi];
	int error = 0;

	if (gsi < HYPERVISOR_FIRST_MSI_GSI || gsi >= HYPERVISOR_MAX_GSI)
		return -EINVAL;
	pthread_mutex_lock(&mock->lock);
	if (on && msi->fd < 0) {
		msi->fd = fd;
		mock->n_irqfds++;
	} else if (!on && msi->fd == fd) {
		msi->fd = -1;
		mock->n_irqfds--;
	} else {
		error = on ? -EBUSY : -ENOENT;
	}
	pthread_mutex_unlock(&mock->lock);
	return error;
}

static int connect_ioeventfd(struct hypervisor *hypervisor, uint64_t addr,
			     int fd, bool on)
{
	struct mock_hypervisor *mock = mock_of(hypervisor);
	unsigned int i;
	int error = 0;

	pthread_mutex_lock(&mock->lock);
	for (i = 0; i < mock->n_ioeventfds; i++)
		if (mock->ioeventfds[i].addr == addr)
			break;
	if (on && i == mock->n_ioeventfds && i < MOCK_MAX_IOEVENTFDS)
		mock->ioeventfds[mock->n_ioeventfds++] =
			(struct mock_ioeventfd){ addr, fd };
	else if (!on && i < mock->n_ioeventfds && mock->ioeventfds[i].fd == fd)
		mock->ioeventfds[i] = mock->ioeventfds[--mock->n_ioeventfds];
	else
		error = on ? -EEXIST : -ENOENT;
	pthread_mutex_unlock(&mock->lock);
	return error;
}

static int set_irq(struct hypervisor *hypervisor, unsigned int gsi, bool level)
{
	struct mock_hypervisor *mock = mock_of(hypervisor);

	if (gsi >= ARRAY_SIZE(mock->levels))
		return -EINVAL;
	pthread_mutex_lock(&mock->lock);
	mock->levels[gsi] = level;
	pthread_mutex_unlock(&mock->lock);
	return 0;
}

void mock_hypervisor_init(struct mock_hypervisor *mock)
{
	static const struct hypervisor_ops ops = {
		.route_msi = route_msi,
		.connect_irqfd = connect_irqfd,
		.connect_ioeventfd = connect_ioeventfd,
		.set_irq = set_irq,
	};

	memset(mock, 0, sizeof(*mock));
	mock->hypervisor.ops = &ops;
	pthread_mutex_init(&mock->lock, NULL);
	for (unsigned int i = 0; i < HYPERVISOR_MAX_GSI; i++)
		mock->msi[i].fd = -1;
}

void mock_hypervisor_uninit(struct mock_hypervisor *mock)
{
	pthread_mutex_destroy(&mock->lock);
}

/* Whether the eventfd was written to; empties it. */
static bool take_eventfd(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t value;

	return poll(&poll_fd, 1, 0) == 1 &&
	       read(fd, &value, sizeof(value)) == sizeof(value);
}

unsigned int mock_take_interrupts(struct mock_hypervisor *mock, uint32_t data)
{
	unsigned int n = 0;

	pthread_mutex_lock(&mock->lock);
	for (unsigned int i = 0; i < HYPERVISOR_MAX_GSI; i++) {
		struct mock_msi *msi = &mock->msi[i];

		if (msi->fd >= 0 && msi->routed && msi->data == data)
			n += take_eventfd(msi->fd);
	}
	pthread_mutex_unlock(&mock->lock);
	return n;
}

bool mock_notify(struct mock_hypervisor *mock, uint64_t addr)
{
	uint64_t one = 1;
	bool found = false;

	pthread_mutex_lock(&mock->lock);
	for (unsigned int i = 0; i < mock->n_ioeventfds; i++)
		if (mock->ioeventfds[i].addr == addr)
			found = write(mock->ioeventfds[i].fd, &one,
				      sizeof(one)) == sizeof(one);
	pthread_mutex_unlock(&mock->lock);
	return found;
}
