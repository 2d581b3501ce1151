/*
 * Packet sockets (packet_socket.h): opening and receiving. packet_send.c has
 * the other direction.
 */
#include "port/packet_socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "packet/offload.h"
#include "port/rx_arena.h"

LOG_MODULE(device);

/* Limits, not allocations: about 60 frames of 64 KiB each way. */
#define SOCKET_BUFFER_BYTES (4 << 20)
#define RING_BYTES	    (256 << 10) /* of all queues */

#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

#define MESSAGES_MAX 16 /* received by one system call */

union auxdata_room {
	struct cmsghdr cmsg;
	char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
};

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno
								    : 0;
}

static void set_buffers(int fd)
{
	/* As much as the system allows when we may not force it. */
	if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER_BYTES))
		set_option(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES);
	if (set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER_BYTES))
		set_option(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
}

/*
 * Nothing comes in until packet_socket_let_in(): else sockets would get frames
 * twice.
 */
static int keep_out(int fd)
{
	struct sock_filter nothing = { BPF_RET | BPF_K, 0, 0, 0 };
	struct sock_fprog program = { 1, &nothing };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program))
		       ? -errno
		       : 0;
}

/* One filter takes the other's place between two frames. */
int packet_socket_let_in(const struct packet_socket *s, int filter_fd)
{
	int error;

	if (filter_fd >= 0)
		return set_option(s->fd, SOL_SOCKET, SO_ATTACH_BPF, filter_fd);
	error = set_option(s->fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
	return error == -ENOENT ? 0 : error; /* there is none */
}

/* With protocol 0 it sends only. */
static int bind_to(int fd, int ifindex, uint16_t protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = __builtin_bswap16(protocol),
		.sll_ifindex = ifindex,
	};

	return bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno
								      : 0;
}

static int set_promiscuous(int fd, int ifindex)
{
	struct packet_mreq mreq = { .mr_ifindex = ifindex,
				    .mr_type = PACKET_MR_PROMISC };

	return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq,
			  sizeof(mreq))
		       ? -errno
		       : 0;
}

/* A socket that neither receives nor sends yet. -errno on failure. */
static int open_unbound(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	set_buffers(fd);
	error = set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	if (!error)
		return fd;
	close(fd);
	return error;
}

static int open_one(struct packet_socket *s, int ifindex, size_t ring_bytes)
{
	int error;

	s->segments_fd = open_unbound();
	if (s->segments_fd < 0)
		return s->segments_fd;
	error = bind_to(s->segments_fd, ifindex, 0);
	if (error)
		return error;
	s->fd = open_unbound();
	if (s->fd < 0)
		return s->fd;
	error = keep_out(s->fd);
	if (!error)
		error = set_option(s->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING,
				   1);
	/* Without a ring it is slower, and works as well. */
	if (!error && packet_ring_open(&s->ring, s->fd, ring_bytes))
		error = set_option(s->fd, SOL_PACKET, PACKET_AUXDATA, 1);
	if (!error)
		error = bind_to(s->fd, ifindex, ETH_P_ALL);
	return error;
}

/* The sockets share the device's frames by flow. */
static int join_fanout(struct packet_socket *sockets, unsigned n)
{
	int how = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
	int id = 0, error;
	socklen_t length = sizeof(id);

	error = set_option(sockets[0].fd, SOL_PACKET, PACKET_FANOUT,
			   (how | PACKET_FANOUT_FLAG_UNIQUEID) << 16);
	if (!error &&
	    getsockopt(sockets[0].fd, SOL_PACKET, PACKET_FANOUT, &id, &length))
		error = -errno;
	for (unsigned i = 1; i < n && !error; i++)
		error = set_option(sockets[i].fd, SOL_PACKET, PACKET_FANOUT,
				   how << 16 | (id & 0xffff));
	return error;
}

int packet_sockets_open(struct packet_socket *sockets, unsigned n,
			const char *name, int ifindex, char **errp)
{
	const char *what = "open a packet socket on";
	int error = 0;

	for (unsigned i = 0; i < n; i++)
		sockets[i] = (struct packet_socket){
			.fd = -1,
			.segments_fd = -1,
		};
	for (unsigned i = 0; i < n && !error; i++)
		error = open_one(&sockets[i], ifindex, RING_BYTES / n);
	if (!error) {
		what = "make promiscuous";
		error = set_promiscuous(sockets[0].fd, ifindex);
	}
	if (!error && n > 1) {
		what = "spread over several queues";
		error = join_fanout(sockets, n);
	}
	if (!error)
		return 0;
	for (unsigned i = 0; i < n; i++)
		packet_socket_close(&sockets[i]);
	return set_error(errp, error, "could not %s network device %s (%s)%s",
			 what, name, strerror(-error),
			 error == -EPERM ? ": CAP_NET_RAW is needed" : "");
}

void packet_socket_close(struct packet_socket *s)
{
	packet_ring_close(&s->ring);
	if (s->fd >= 0)
		close(s->fd);
	if (s->segments_fd >= 0)
		close(s->segments_fd);
	s->fd = s->segments_fd = -1;
}

uint32_t packet_socket_take_drops(struct packet_socket *s)
{
	struct tpacket_stats stats = { 0 };
	socklen_t length = sizeof(stats);

	if (getsockopt(s->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length))
		return 0;
	return stats.tp_drops;
}

/* The tag that the kernel took out of the frame. */
static void take_vlan(struct packet *p, struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct tpacket_auxdata aux;

	if (!cmsg || cmsg->cmsg_level != SOL_PACKET ||
	    cmsg->cmsg_type != PACKET_AUXDATA)
		return;
	memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return;
	p->vlan_beside = true;
	p->vlan_beside_tci = aux.tp_vlan_tci;
	p->vlan_beside_tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID
				      ? aux.tp_vlan_tpid
				      : ETH_P_8021Q;
}

static void prepare(struct mmsghdr *msg, struct iovec *iov, uint8_t *frame,
		    union auxdata_room *aux)
{
	iov->iov_base = frame - VNET_HDR_LEN;
	iov->iov_len = VNET_HDR_LEN + PACKET_LEN_MAX;
	msg->msg_hdr = (struct msghdr){ .msg_iov = iov,
					.msg_iovlen = 1,
					.msg_control = aux,
					.msg_controllen = sizeof(*aux) };
}

/* One received frame; false: dropped and counted. */
static bool take_message(struct port *port, struct packet *p,
			 struct mmsghdr *msg, unsigned thread)
{
	const uint8_t *vnet = msg->msg_hdr.msg_iov->iov_base;

	if (msg->msg_hdr.msg_flags & MSG_TRUNC || msg->msg_len < VNET_HDR_LEN) {
		port_drop(port, thread, DROP_TRUNCATED, 1);
		return false;
	}
	packet_init(p, vnet + VNET_HDR_LEN, msg->msg_len - VNET_HDR_LEN);
	take_vlan(p, &msg->msg_hdr);
	if (offload_receive(p, vnet, OFFLOAD_ALL | OFFLOAD_TRUSTED))
		return true;
	port_drop(port, thread, DROP_BAD_OFFLOAD, 1);
	return false;
}

/* Without a ring. Few at once, for the reason of RX_ARENA_BURST_BYTES. */
static unsigned receive_messages(struct packet_socket *s, struct port *port,
				 struct packet *packets, unsigned max,
				 unsigned thread)
{
	union auxdata_room aux[MESSAGES_MAX];
	struct mmsghdr msgs[MESSAGES_MAX];
	struct iovec iov[MESSAGES_MAX];
	uint8_t *arena = rx_arena();
	unsigned n = 0;
	int got;

	max = MIN(max, MESSAGES_MAX);
	for (unsigned i = 0; i < max; i++)
		prepare(&msgs[i], &iov[i], rx_arena_frame(arena, i), &aux[i]);
	got = recvmmsg(s->fd, msgs, max, MSG_DONTWAIT, NULL);
	/* A kind of GSO that the header cannot tell of: the kernel drops it. */
	if (got < 0 && errno == EINVAL)
		port_drop(port, thread, DROP_BAD_OFFLOAD, 1);
	for (int i = 0; i < got; i++)
		n += take_message(port, &packets[n], &msgs[i], thread);
	return n;
}

unsigned packet_socket_receive(struct packet_socket *s, struct port *port,
			       struct packet *packets, unsigned max,
			       unsigned thread)
{
	return s->ring.map ? packet_ring_receive(&s->ring, port, packets, max,
						 thread)
			   : receive_messages(s, port, packets, max, thread);
}

void packet_socket_done(struct packet_socket *s)
{
	if (s->ring.map)
		packet_ring_done(&s->ring);
}

void packet_socket_arm(struct packet_socket *s)
{
	int error;
	socklen_t length = sizeof(error);

	if (s->ring.map)
		getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &length);
}

void packet_socket_set_bypass(struct packet_socket *s, bool bypass)
{
	set_option(s->fd, SOL_PACKET, PACKET_QDISC_BYPASS, bypass);
}
