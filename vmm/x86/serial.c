/*
 * The 16550A (National Semiconductor's PC16550D data sheet). A character is
 * sent the moment that it is written, so the transmitter is always empty; a
 * receive FIFO that holds anything below its trigger level has timed out.
 *
 * Only the I/O thread touches the event loop: a vCPU thread that wrote output
 * or made room for input wakes it.
 */
#include "vmm/x86/serial.h"

#include <errno.h>
#include <event2/buffer.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/machine/snapshot.h"
#include "vmm/x86/layout.h"

enum { FIFO_SIZE = 16, BACKLOG_MAX = 64 << 10, SEND_MAX = 4096 };

enum reg {
	REG_DATA = 0, /* or, with LCR_DLAB, the divisor's low byte */
	REG_IER = 1,  /* its high byte */
	REG_IIR_FCR = 2,
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
	N_REGS,
};

enum {
	IER_RECEIVED = 0x01,
	IER_EMPTY = 0x02,
	IIR_NONE = 0x01,
	IIR_EMPTY = 0x02,
	IIR_RECEIVED = 0x04,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFO = 0xc0,
	FCR_ENABLE = 0x01,
	FCR_CLEAR_RECEIVER = 0x02,
	FCR_KEPT = 0xc1, /* enable and trigger level */
	LCR_DLAB = 0x80,
	MCR_LOOP = 0x10,
	LSR_DATA = 0x01,
	LSR_EMPTY = 0x60, /* holding register and transmitter */
	MSR_CONNECTED = 0xb0,
};

/* What is saved. */
struct registers {
	uint8_t ier, fcr, lcr, mcr, scr;
	uint8_t divisor[2];
	uint8_t empty_pending; /* that the transmitter is empty */
	uint8_t n_fifo, fifo[FIFO_SIZE];
};

struct serial {
	pthread_mutex_t lock;
	struct bus *pio;
	struct hypervisor *hypervisor;
	int fd, wake_fd;
	struct event *readable, *writable, *woken;
	bool input_ended;
	struct evbuffer *backlog;
	uint64_t n_dropped;
	bool irq;
	struct registers registers;
};

/* 9,600 baud */
static const struct registers power_on = { .divisor = { 12, 0 } };

static unsigned int fifo_size(const struct serial *serial)
{
	return serial->registers.fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

/* What the interrupt identification register says. */
static uint8_t cause(const struct serial *serial)
{
	static const uint8_t triggers[4] = { 1, 4, 8, 14 };
	unsigned int trigger = serial->registers.fcr & FCR_ENABLE
				       ? triggers[serial->registers.fcr >> 6]
				       : 1;

	if (serial->registers.ier & IER_RECEIVED && serial->registers.n_fifo)
		return serial->registers.n_fifo >= trigger ? IIR_RECEIVED
							   : IIR_TIMEOUT;
	if (serial->registers.ier & IER_EMPTY &&
	    serial->registers.empty_pending)
		return IIR_EMPTY;
	return IIR_NONE;
}

static void update_irq(struct serial *serial)
{
	bool irq = cause(serial) != IIR_NONE;

	if (irq == serial->irq)
		return;
	serial->irq = irq;
	serial->hypervisor->ops->set_irq(serial->hypervisor, LAYOUT_IRQ_SERIAL,
					 irq);
}

static void wake(struct serial *serial)
{
	eventfd_write(serial->wake_fd, 1);
}

static void transmit(struct serial *serial, uint8_t c)
{
	serial->registers.empty_pending = true;
	if (serial->registers.mcr & MCR_LOOP) {
		if (serial->registers.n_fifo < fifo_size(serial))
			serial->registers.fifo[serial->registers.n_fifo++] = c;
		return;
	}
	if (serial->fd < 0)
		return;
	if (evbuffer_get_length(serial->backlog) >= BACKLOG_MAX ||
	    evbuffer_add(serial->backlog, &c, 1))
		serial->n_dropped++;
	else if (evbuffer_get_length(serial->backlog) == 1)
		wake(serial);
}

static uint8_t receive(struct serial *serial)
{
	uint8_t c = serial->registers.fifo[0];

	if (!serial->registers.n_fifo)
		return 0;
	if (serial->registers.n_fifo == fifo_size(serial))
		wake(serial);
	memmove(serial->registers.fifo, serial->registers.fifo + 1,
		--serial->registers.n_fifo);
	return c;
}

static void write_reg(struct serial *serial, enum reg reg, uint8_t value)
{
	struct registers *r = &serial->registers;
	bool divisor = r->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (divisor)
			r->divisor[0] = value;
		else
			transmit(serial, value);
		break;
	case REG_IER:
		if (divisor) {
			r->divisor[1] = value;
			break;
		}
		if (value & ~r->ier & IER_EMPTY)
			r->empty_pending = true;
		r->ier = value & 0xf;
		break;
	case REG_IIR_FCR:
		if (value & FCR_CLEAR_RECEIVER ||
		    (value ^ r->fcr) & FCR_ENABLE) {
			r->n_fifo = 0;
			wake(serial);
		}
		r->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
		break;
	case REG_LCR:
		r->lcr = value;
		break;
	case REG_MCR:
		r->mcr = value & 0x1f;
		wake(serial); /* loopback keeps input out */
		break;
	case REG_SCR:
		r->scr = value;
		break;
	default:
		break; /* LSR, MSR: not to be written */
	}
}

/* In loopback the outputs DTR, RTS, OUT1, OUT2 are the inputs DSR, CTS, RI,
 * DCD. */
static uint8_t modem_status(const struct serial *serial)
{
	uint8_t mcr = serial->registers.mcr;

	if (!(mcr & MCR_LOOP))
		return MSR_CONNECTED;
	return (mcr & 0x1) << 5 | (mcr & 0x2) << 3 | (mcr & 0xc) << 4;
}

static uint8_t read_reg(struct serial *serial, enum reg reg)
{
	struct registers *r = &serial->registers;
	bool divisor = r->lcr & LCR_DLAB;
	uint8_t value;

	switch (reg) {
	case REG_DATA:
		return divisor ? r->divisor[0] : receive(serial);
	case REG_IER:
		return divisor ? r->divisor[1] : r->ier;
	case REG_IIR_FCR:
		value = cause(serial);
		if (value == IIR_EMPTY)
			r->empty_pending = false;
		return value | (r->fcr & FCR_ENABLE ? IIR_FIFO : 0);
	case REG_LCR:
		return r->lcr;
	case REG_MCR:
		return r->mcr;
	case REG_LSR:
		return LSR_EMPTY | (r->n_fifo ? LSR_DATA : 0);
	case REG_MSR:
		return modem_status(serial);
	default:
		return r->scr;
	}
}

static void bus_written(void *aux, uint64_t offset, unsigned int length,
			uint64_t value)
{
	struct serial *serial = aux;

	pthread_mutex_lock(&serial->lock);
	write_reg(serial, offset, value);
	update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
}

static uint64_t bus_reads(void *aux, uint64_t offset, unsigned int length)
{
	struct serial *serial = aux;
	uint8_t value;

	pthread_mutex_lock(&serial->lock);
	value = read_reg(serial, offset);
	update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
	return value;
}

/* The rest is for the I/O thread, with the lock. */

static void send_backlog(struct serial *serial)
{
	size_t length = evbuffer_get_length(serial->backlog);
	ssize_t sent;

	while (length) {
		length = MIN(length, SEND_MAX);
		sent = send(serial->fd,
			    evbuffer_pullup(serial->backlog, length), length,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			event_add(serial->writable, NULL);
			return;
		}
		if (sent < 0 && errno == EINTR)
			continue;
		/* Without a reader it is lost. */
		evbuffer_drain(serial->backlog,
			       sent > 0 ? (size_t)sent : length);
		length = evbuffer_get_length(serial->backlog);
	}
}

static void receive_input(struct serial *serial)
{
	unsigned int room = fifo_size(serial) -
			    MIN(serial->registers.n_fifo, fifo_size(serial));
	ssize_t got;

	if (serial->input_ended)
		return;
	if (!room || serial->registers.mcr & MCR_LOOP) {
		event_del(serial->readable);
		return;
	}
	got = recv(serial->fd,
		   serial->registers.fifo + serial->registers.n_fifo, room,
		   MSG_DONTWAIT);
	serial->input_ended =
		!got || (got < 0 && errno != EAGAIN && errno != EINTR);
	if (serial->input_ended) {
		event_del(serial->readable);
		return;
	}
	if (got > 0)
		serial->registers.n_fifo += got;
	event_add(serial->readable, NULL);
	update_irq(serial);
}

static void on_event(evutil_socket_t fd, short events, void *aux)
{
	struct serial *serial = aux;
	eventfd_t n;

	if (fd == serial->wake_fd)
		eventfd_read(fd, &n);
	pthread_mutex_lock(&serial->lock);
	send_backlog(serial);
	receive_input(serial);
	pthread_mutex_unlock(&serial->lock);
}

static void set_registers(struct serial *serial,
			  const struct registers *registers)
{
	pthread_mutex_lock(&serial->lock);
	serial->registers = *registers;
	update_irq(serial);
	wake(serial);
	pthread_mutex_unlock(&serial->lock);
}

struct serial *serial_create(struct bus *pio, struct hypervisor *hypervisor,
			     struct event_base *loop, int fd)
{
	struct serial *serial = xcalloc(1, sizeof(*serial));
	struct bus_device device = { bus_reads, bus_written, serial };

	pthread_mutex_init(&serial->lock, NULL);
	serial->pio = pio;
	serial->hypervisor = hypervisor;
	serial->fd = fd;
	serial->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	serial->registers = power_on;
	if (fd >= 0) {
		serial->backlog = evbuffer_new();
		serial->readable = event_new(loop, fd, EV_READ | EV_PERSIST,
					     on_event, serial);
		serial->writable =
			event_new(loop, fd, EV_WRITE, on_event, serial);
		serial->woken =
			event_new(loop, serial->wake_fd, EV_READ | EV_PERSIST,
				  on_event, serial);
		event_add(serial->readable, NULL);
		event_add(serial->woken, NULL);
	}
	bus_add(pio, LAYOUT_PORT_SERIAL, N_REGS, &device);
	return serial;
}

void serial_destroy(struct serial *serial)
{
	if (!serial)
		return;
	bus_remove(serial->pio, LAYOUT_PORT_SERIAL);
	if (serial->fd >= 0) {
		send_backlog(serial);
		event_free(serial->readable);
		event_free(serial->writable);
		event_free(serial->woken);
		evbuffer_free(serial->backlog);
		close(serial->fd);
	}
	close(serial->wake_fd);
	pthread_mutex_destroy(&serial->lock);
	free(serial);
}

void serial_reset(struct serial *serial)
{
	set_registers(serial, &power_on);
}

json_t *serial_save(struct serial *serial)
{
	json_t *state;

	pthread_mutex_lock(&serial->lock);
	state = json_pack(
		"{so sI}", "registers",
		snapshot_bytes(&serial->registers, sizeof(serial->registers)),
		"dropped", (json_int_t)serial->n_dropped);
	pthread_mutex_unlock(&serial->lock);
	return state;
}

int serial_restore(struct serial *serial, const json_t *state, char **errp)
{
	struct registers registers;

	if (snapshot_from_bytes(json_object_get(state, "registers"), &registers,
				sizeof(registers)) ||
	    registers.n_fifo > FIFO_SIZE)
		return set_error(errp, -EINVAL,
				 "the saved state of the serial port is "
				 "damaged");
	set_registers(serial, &registers);
	return 0;
}
