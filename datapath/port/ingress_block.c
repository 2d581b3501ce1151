/*
 * The drop at a device's ingress (ingress_block.h), by raw bpf(2): a library
 * for two instructions would be one more dependency of the daemon.
 */
#include "port/ingress_block.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of Linux 6.6; Debian 12's headers are of 6.1. */
#define TCX_INGRESS 46	      /* BPF_TCX_INGRESS */
#define TCX_BEFORE  (1u << 3) /* BPF_F_BEFORE: in front of all others */

static int bpf(int command, union bpf_attr *attr)
{
	long n = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return n < 0 ? -errno : (int)n;
}

static int load_drop_program(void)
{
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K,
		  .dst_reg = BPF_REG_0,
		  .imm = TC_ACT_SHOT },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = ARRAY_SIZE(program);
	attr.license = (uintptr_t) "Dual MIT/GPL";
	strcpy(attr.prog_name, "vsw_block");
	return bpf(BPF_PROG_LOAD, &attr);
}

static int attach_tcx(int program, int ifindex)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = program;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = TCX_INGRESS;
	attr.link_create.flags = TCX_BEFORE;
	return bpf(BPF_LINK_CREATE, &attr);
}

int ingress_block_attach(struct ingress_block *block, int ifindex,
			 enum ingress_block_way way)
{
	int program = load_drop_program();
	int error = 0;

	*block = INGRESS_BLOCK_NONE;
	block->point.ifindex = ifindex;
	if (program < 0)
		return program;
	if (way == INGRESS_BLOCK_ANY)
		block->link_fd = attach_tcx(program, ifindex);
	if (block->link_fd < 0) {
		block->link_fd = -1;
		error = attach_program(&block->point, program);
		block->filter = !error;
	}
	close(program);
	return error;
}

void ingress_block_detach(struct ingress_block *block)
{
	if (block->link_fd >= 0)
		close(block->link_fd);
	if (block->filter)
		attach_remove(&block->point, -1);
	*block = INGRESS_BLOCK_NONE;
}
