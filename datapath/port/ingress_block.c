/*
 * The drop at a device's ingress (ingress_block.h), by raw bpf(2): a library
 * for two instructions would be one more dependency of the daemon.
 */
#include "port/ingress_block.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "port/netdev.h"

/* Of Linux 6.6; Debian 12's headers are of 6.1. */
#define TCX_INGRESS 46	      /* BPF_TCX_INGRESS */
#define TCX_BEFORE  (1u << 3) /* BPF_F_BEFORE: in front of all others */

/* Where our filter is in a clsact qdisc, and how tc(8) shows it. */
#define FILTER_PRIORITY 1
#define FILTER_HANDLE	0x767377 /* "vsw" */
#define FILTER_NAME	"vsw-ingress-block"

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

static struct nlmsghdr *tc_request(void *room, int type, int flags, int ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	struct tcmsg *tcm;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = ifindex;
	return nlh;
}

static int change_clsact(int type, int flags, int ifindex)
{
	char room[256];
	struct nlmsghdr *nlh = tc_request(room, type, flags, ifindex);
	struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);

	tcm->tcm_parent = TC_H_CLSACT;
	tcm->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz(nlh, TCA_KIND, "clsact");
	return netdev_request(nlh, NULL);
}

static struct nlmsghdr *filter_request(void *room, int type, int flags,
				       int ifindex)
{
	struct nlmsghdr *nlh = tc_request(room, type, flags, ifindex);
	struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);

	tcm->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	tcm->tcm_handle = FILTER_HANDLE;
	tcm->tcm_info =
		TC_H_MAKE(FILTER_PRIORITY << 16, __builtin_bswap16(ETH_P_ALL));
	mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
	return nlh;
}

static int add_filter(int program, int ifindex)
{
	char room[512];
	struct nlmsghdr *nlh = filter_request(
		room, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, ifindex);
	struct nlattr *nest = mnl_attr_nest_start(nlh, TCA_OPTIONS);

	mnl_attr_put_u32(nlh, TCA_BPF_FD, program);
	mnl_attr_put_strz(nlh, TCA_BPF_NAME, FILTER_NAME);
	mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(nlh, nest);
	return netdev_request(nlh, NULL);
}

static int attach_filter(struct ingress_block *block, int program)
{
	int error = change_clsact(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL,
				  block->ifindex);

	if (error && error != -EEXIST)
		return error;
	block->made_clsact = !error;
	error = add_filter(program, block->ifindex);
	block->filter = !error;
	return error;
}

int ingress_block_attach(struct ingress_block *block, int ifindex,
			 enum ingress_block_way way)
{
	int program = load_drop_program();
	int error = 0;

	*block = INGRESS_BLOCK_NONE;
	block->ifindex = ifindex;
	if (program < 0)
		return program;
	if (way == INGRESS_BLOCK_ANY)
		block->link_fd = attach_tcx(program, ifindex);
	if (block->link_fd < 0) {
		block->link_fd = -1;
		error = attach_filter(block, program);
	}
	close(program);
	if (error)
		ingress_block_detach(block);
	return error;
}

void ingress_block_detach(struct ingress_block *block)
{
	char room[256];

	if (block->link_fd >= 0)
		close(block->link_fd);
	/* Fails when the device is gone, and the filter with it. */
	if (block->filter)
		netdev_request(
			filter_request(room, RTM_DELTFILTER, 0, block->ifindex),
			NULL);
	if (block->made_clsact)
		change_clsact(RTM_DELQDISC, 0, block->ifindex);
	*block = INGRESS_BLOCK_NONE;
}
