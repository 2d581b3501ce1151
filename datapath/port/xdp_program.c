/* Five instructions of BPF, by raw bpf(2) (xdp_program.h, ingress_block.c). */
#include "port/xdp_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr)
{
	long n = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return n < 0 ? -errno : (int)n;
}

static int create_map(unsigned n_queues)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_XSKMAP;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(uint32_t);
	attr.max_entries = n_queues;
	strcpy(attr.map_name, "vsw_sockets");
	return bpf(BPF_MAP_CREATE, &attr);
}

/* return bpf_redirect_map(map, ctx->rx_queue_index, XDP_DROP); */
static int load_program(int map_fd)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_REG_1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_DW | BPF_IMM, /* and BPF_LD, which is 0, too */
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map_fd },
		{ .code = 0 }, /* the second half of it */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K,
		  .dst_reg = BPF_REG_3,
		  .imm = XDP_DROP },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = ARRAY_SIZE(program);
	attr.license = (uintptr_t) "Dual MIT/GPL";
	strcpy(attr.prog_name, "vsw_xdp");
	return bpf(BPF_PROG_LOAD, &attr);
}

static int attach(int program_fd, int ifindex, bool native)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = program_fd;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags =
		native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
	return bpf(BPF_LINK_CREATE, &attr);
}

int xdp_program_attach(struct xdp_program *program, int ifindex,
		       unsigned n_queues, bool native)
{
	int fd;

	*program = XDP_PROGRAM_NONE;
	program->map_fd = create_map(n_queues);
	if (program->map_fd < 0)
		return program->map_fd;
	fd = load_program(program->map_fd);
	program->link_fd = fd < 0 ? fd : attach(fd, ifindex, native);
	if (fd >= 0)
		close(fd);
	if (program->link_fd < 0) {
		int error = program->link_fd;

		xdp_program_detach(program);
		return error;
	}
	return 0;
}

int xdp_program_set_socket(const struct xdp_program *program, unsigned queue,
			   int fd)
{
	uint32_t key = queue, value = fd;
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = program->map_fd;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&value;
	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

void xdp_program_detach(struct xdp_program *program)
{
	if (program->link_fd >= 0)
		close(program->link_fd);
	if (program->map_fd >= 0)
		close(program->map_fd);
	*program = XDP_PROGRAM_NONE;
}
