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
	DIVISOR_9600 = 12,
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

	uint8_t ier, fcr, lcr, mcr, scr;
	uint16_t divisor;
	bool empty_pending; /* that the transmitter is empty */
	uint8_t fifo[FIFO_SIZE];
	unsigned int n_fifo;
	bool irq;
};

static unsigned int fifo_size(const struct serial *serial)
{
	return serial->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

/* What the interrupt identification register says. */
static uint8_t cause(const struct serial *serial)
{
	static const uint8_t triggers[4] = { 1, 4, 8, 14 };
	unsigned int trigger =
		serial->fcr & FCR_ENABLE ? triggers[serial->fcr >> 6] : 1;

	if (serial->ier & IER_RECEIVED && serial->n_fifo)
		return serial->n_fifo >= trigger ? IIR_RECEIVED : IIR_TIMEOUT;
	if (serial->ier & IER_EMPTY && serial->empty_pending)
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
	serial->empty_pending = true;
	if (serial->mcr & MCR_LOOP) {
		if (serial->n_fifo < fifo_size(serial))
			serial->fifo[serial->n_fifo++] = c;
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
	uint8_t c = serial->fifo[0];

	if (!serial->n_fifo)
		return 0;
	if (serial->n_fifo == fifo_size(serial))
		wake(serial);
	memmove(serial->fifo, serial->fifo + 1, --serial->n_fifo);
	return c;
}

static void write_reg(struct serial *serial, enum reg reg, uint8_t value)
{
	bool divisor = serial->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (divisor)
			serial->divisor = (serial->divisor & 0xff00) | value;
		else
			transmit(serial, value);
		break;
	case REG_IER:
		if (divisor) {
			serial->divisor = (serial->divisor & 0xff) | value << 8;
			break;
		}
		if (value & ~serial->ier & IER_EMPTY)
			serial->empty_pending = true;
		serial->ier = value & 0xf;
		break;
	case REG_IIR_FCR:
		if (value & FCR_CLEAR_RECEIVER ||
		    (value ^ serial->fcr) & FCR_ENABLE) {
			serial->n_fifo = 0;
			wake(serial);
		}
		serial->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
		break;
	case REG_LCR:
		serial->lcr = value;
		break;
	case REG_MCR:
		serial->mcr = value & 0x1f;
		wake(serial); /* loopback keeps input out */
		break;
	case REG_SCR:
		serial->scr = value;
		break;
	default:
		break; /* LSR, MSR: not to be written */
	}
}

/* In loopback the outputs DTR, RTS, OUT1, OUT2 are the inputs DSR, CTS, RI,
 * DCD. */
static uint8_t modem_status(const struct serial *serial)
{
	uint8_t mcr = serial->mcr;

	if (!(mcr & MCR_LOOP))
		return MSR_CONNECTED;
	return (mcr & 0x1) << 5 | (mcr & 0x2) << 3 | (mcr & 0xc) << 4;
}

static uint8_t read_reg(struct serial *serial, enum reg reg)
{
	bool divisor = serial->lcr & LCR_DLAB;
	uint8_t value;

	switch (reg) {
	case REG_DATA:
		return divisor ? serial->divisor & 0xff : receive(serial);
	case REG_IER:
		return divisor ? serial->divisor >> 8 : serial->ier;
	case REG_IIR_FCR:
		value = cause(serial);
		if (value == IIR_EMPTY)
			serial->empty_pending = false;
		return value | (serial->fcr & FCR_ENABLE ? IIR_FIFO : 0);
	case REG_LCR:
		return serial->lcr;
	case REG_MCR:
		return serial->mcr;
	case REG_LSR:
		return LSR_EMPTY | (serial->n_fifo ? LSR_DATA : 0);
	case REG_MSR:
		return modem_status(serial);
	default:
		return serial->scr;
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
	unsigned int room =
		fifo_size(serial) - MIN(serial->n_fifo, fifo_size(serial));
	ssize_t got;

	if (serial->input_ended)
		return;
	if (!room || serial->mcr & MCR_LOOP) {
		event_del(serial->readable);
		return;
	}
	got = recv(serial->fd, serial->fifo + serial->n_fifo, room,
		   MSG_DONTWAIT);
	serial->input_ended =
		!got || (got < 0 && errno != EAGAIN && errno != EINTR);
	if (serial->input_ended) {
		event_del(serial->readable);
		return;
	}
	if (got > 0)
		serial->n_fifo += got;
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

static void clear_registers(struct serial *serial)
{
	serial->ier = serial->fcr = serial->lcr = serial->mcr = 0;
	serial->scr = 0;
	serial->divisor = DIVISOR_9600;
	serial->empty_pending = false;
	serial->n_fifo = 0;
	update_irq(serial);
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
	clear_registers(serial);
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
	pthread_mutex_lock(&serial->lock);
	clear_registers(serial);
	wake(serial);
	pthread_mutex_unlock(&serial->lock);
}

json_t *serial_save(struct serial *serial)
{
	json_t *state;

	pthread_mutex_lock(&serial->lock);
	state = json_pack("{si si si si si si sb so sI}", "ier", serial->ier,
			  "fcr", serial->fcr, "lcr", serial->lcr, "mcr",
			  serial->mcr, "scr", serial->scr, "divisor",
			  serial->divisor, "empty_pending",
			  serial->empty_pending, "received", json_array(),
			  "dropped", (json_int_t)serial->n_dropped);
	for (unsigned int i = 0; i < serial->n_fifo; i++)
		json_array_append_new(json_object_get(state, "received"),
				      json_integer(serial->fifo[i]));
	pthread_mutex_unlock(&serial->lock);
	return state;
}

int serial_restore(struct serial *serial, const json_t *state, char **errp)
{
	int ier, fcr, lcr, mcr, scr, divisor, pending;
	const json_t *received, *byte;
	size_t i;

	if (json_unpack((json_t *)state, "{si si si si si si sb so}", "ier",
			&ier, "fcr", &fcr, "lcr", &lcr, "mcr", &mcr, "scr",
			&scr, "divisor", &divisor, "empty_pending", &pending,
			"received", &received) ||
	    !json_is_array(received) || json_array_size(received) > FIFO_SIZE)
		return set_error(errp, -EINVAL,
				 "the saved state of the serial "
				 "port is damaged");
	pthread_mutex_lock(&serial->lock);
	clear_registers(serial);
	serial->ier = ier & 0xf;
	serial->fcr = fcr & FCR_KEPT;
	serial->lcr = lcr;
	serial->mcr = mcr & 0x1f;
	serial->scr = scr;
	serial->divisor = divisor;
	serial->empty_pending = pending;
	json_array_foreach(received, i, byte)
		serial->fifo[i] = json_integer_value(byte);
	serial->n_fifo = MIN(json_array_size(received), fifo_size(serial));
	update_irq(serial);
	wake(serial);
	pthread_mutex_unlock(&serial->lock);
	return 0;
}
