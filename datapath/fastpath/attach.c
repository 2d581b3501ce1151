/*
 * Programs at devices (attach.h), by raw bpf(2), as the headers and the libbpf
 * of Debian 12 are older than tcx, and by rtnetlink.
 */
#include "fastpath/attach.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/rtnetlink.h"

/* --- tcx: linux/bpf.h of 6.6 -----------------------------------------------
 */

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS */
#define TCX_EGRESS  47
#define TCX_REPLACE (1u << 2) /* BPF_F_REPLACE */
#define TCX_BEFORE  (1u << 3) /* in front of relative, or of all others */
#define TCX_AFTER   (1u << 4)
#define TCX_ID	    (1u << 5) /* relative is an id, no descriptor */

#define PROGRAMS_MAX 64 /* at one hook: BPF_MPROG_MAX */

/* Of BPF_PROG_ATTACH and BPF_PROG_DETACH. */
struct tcx_change {
	uint32_t ifindex;
	uint32_t program_fd;
	uint32_t type;
	uint32_t flags;
	uint32_t replace_fd;
	uint32_t relative;
	uint64_t revision; /* fails when the hook has another by now; 0: any */
};

/* Of BPF_PROG_QUERY. */
struct tcx_query {
	uint32_t ifindex;
	uint32_t type;
	uint32_t query_flags, attach_flags;
	uint64_t ids; /* where to write them */
	uint32_t n, reserved;
	uint64_t id_flags, link_ids, link_flags;
	uint64_t revision;
};

static int bpf_call(int command, void *attr, size_t size)
{
	return syscall(SYS_bpf, command, attr, size) < 0 ? -errno : 0;
}

static uint32_t tcx_type(const struct attach_point *point)
{
	return point->hook == ATTACH_INGRESS ? TCX_INGRESS : TCX_EGRESS;
}

static int tcx_attach(const struct attach_point *point, int program_fd,
		      uint32_t flags, int replace_fd)
{
	struct tcx_change change = {
		.ifindex = point->ifindex,
		.program_fd = program_fd,
		.type = tcx_type(point),
		.flags = flags,
		.replace_fd = replace_fd,
	};
	int error = bpf_call(BPF_PROG_ATTACH, &change, sizeof(change));

	return error == -EEXIST ? 0 : error;
}

static void tcx_detach(const struct attach_point *point, int program_fd)
{
	struct tcx_change change = {
		.ifindex = point->ifindex,
		.program_fd = program_fd,
		.type = tcx_type(point),
	};

	bpf_call(BPF_PROG_DETACH, &change, sizeof(change));
}

static int tcx_list(const struct attach_point *point, uint32_t *ids,
		    unsigned max, unsigned *np, uint64_t *revision)
{
	struct tcx_query query = {
		.ifindex = point->ifindex,
		.type = tcx_type(point),
		.ids = (uintptr_t)ids,
		.n = max,
	};
	int error = bpf_call(BPF_PROG_QUERY, &query, sizeof(query));

	/* -ENOSPC: there are more, and these are the first. */
	if (error && error != -ENOSPC)
		return error;
	*np = MIN(query.n, max);
	*revision = query.revision;
	return 0;
}

/* --- a filter of clsact ----------------------------------------------------
 */

/* Where our filter is, and how tc(8) shows it. */
#define FILTER_PRIORITY 1
#define FILTER_HANDLE	0x767377 /* "vsw" */
#define FILTER_NAME	"vsw"

static struct nlmsghdr *tc_request(void *room, int type, int flags, int ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	struct tcmsg *tcm;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = ifindex;
	return nlh;
}

static int change_clsact(int type, int flags, int ifindex)
{
	char room[256];
	struct nlmsghdr *nlh =
		tc_request(room, type, flags | NLM_F_ACK, ifindex);
	struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);

	tcm->tcm_parent = TC_H_CLSACT;
	tcm->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz(nlh, TCA_KIND, "clsact");
	return rtnetlink_request(nlh, NULL, NULL);
}

static struct nlmsghdr *filter_request(void *room, int type, int flags,
				       const struct attach_point *point)
{
	struct nlmsghdr *nlh = tc_request(room, type, flags, point->ifindex);
	struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);

	tcm->tcm_parent = TC_H_MAKE(TC_H_CLSACT, point->hook == ATTACH_INGRESS
							 ? TC_H_MIN_INGRESS
							 : TC_H_MIN_EGRESS);
	tcm->tcm_handle = FILTER_HANDLE;
	tcm->tcm_info =
		TC_H_MAKE(FILTER_PRIORITY << 16, __builtin_bswap16(ETH_P_ALL));
	mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
	return nlh;
}

static int set_filter(const struct attach_point *point, int program_fd)
{
	char room[512];
	struct nlmsghdr *nlh =
		filter_request(room, RTM_NEWTFILTER,
			       NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, point);
	struct nlattr *nest = mnl_attr_nest_start(nlh, TCA_OPTIONS);

	mnl_attr_put_u32(nlh, TCA_BPF_FD, program_fd);
	mnl_attr_put_strz(nlh, TCA_BPF_NAME, FILTER_NAME);
	mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(nlh, nest);
	return rtnetlink_request(nlh, NULL, NULL);
}

static int attach_filter(struct attach_point *point, int program_fd)
{
	int error = change_clsact(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL,
				  point->ifindex);

	if (error && error != -EEXIST)
		return error;
	if (!error)
		point->made_clsact = true;
	error = set_filter(point, program_fd);
	if (error && point->made_clsact) {
		change_clsact(RTM_DELQDISC, 0, point->ifindex);
		point->made_clsact = false;
	}
	return error;
}

static void remove_filter(const struct attach_point *point)
{
	char room[256];

	rtnetlink_request(
		filter_request(room, RTM_DELTFILTER, NLM_F_ACK, point), NULL,
		NULL);
	if (point->made_clsact)
		change_clsact(RTM_DELQDISC, 0, point->ifindex);
}

static int take_id(const struct nlattr *attr, void *arg)
{
	uint32_t *id = arg;

	if (mnl_attr_get_type(attr) == TCA_BPF_ID &&
	    mnl_attr_get_payload_len(attr) == sizeof(*id))
		*id = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int take_options(const struct nlattr *attr, void *arg)
{
	return mnl_attr_get_type(attr) == TCA_OPTIONS
		       ? mnl_attr_parse_nested(attr, take_id, arg)
		       : MNL_CB_OK;
}

static int take_filter(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type == RTM_NEWTFILTER)
		mnl_attr_parse(nlh, sizeof(struct tcmsg), take_options, arg);
	return MNL_CB_STOP;
}

/* The program of our filter; 0: there is none. */
static uint32_t filter_id(const struct attach_point *point)
{
	char room[256];
	uint32_t id = 0;

	rtnetlink_request(filter_request(room, RTM_GETTFILTER, 0, point),
			  take_filter, &id);
	return id;
}

/* --- either ----------------------------------------------------------------
 */

int attach_program(struct attach_point *point, int program_fd)
{
	return point->way == ATTACH_TCX
		       ? tcx_attach(point, program_fd, TCX_BEFORE, 0)
		       : attach_filter(point, program_fd);
}

int attach_program_any(struct attach_point *point, int program_fd)
{
	int error;

	point->way = ATTACH_TCX;
	error = attach_program(point, program_fd);
	if (!error || error == -ENODEV)
		return error;
	point->way = ATTACH_FILTER;
	return attach_program(point, program_fd);
}

int attach_replace(struct attach_point *point, int old_fd, int new_fd)
{
	int error;

	if (point->way == ATTACH_FILTER)
		return attach_filter(point, new_fd);
	error = tcx_attach(point, new_fd, TCX_REPLACE, old_fd);
	return error == -ENOENT ? attach_program(point, new_fd) : error;
}

static uint32_t id_of(int program_fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(program_fd, &info, &len) ? 0 : info.id;
}

void attach_remove(const struct attach_point *point, int program_fd)
{
	if (point->way == ATTACH_TCX)
		tcx_detach(point, program_fd);
	else if (program_fd < 0 || filter_id(point) == id_of(program_fd))
		remove_filter(point);
}

unsigned attach_list(const struct attach_point *point, uint32_t *ids,
		     unsigned max)
{
	uint64_t revision;
	unsigned n = 0;

	if (!max)
		return 0;
	if (point->way == ATTACH_TCX)
		return tcx_list(point, ids, max, &n, &revision) ? 0 : n;
	ids[0] = filter_id(point);
	return ids[0] != 0;
}

void attach_remove_by_id(const struct attach_point *point, uint32_t id)
{
	uint32_t ids[PROGRAMS_MAX];
	struct tcx_change change = {
		.ifindex = point->ifindex,
		.type = tcx_type(point),
		.flags = TCX_BEFORE, /* of all: the first */
	};
	unsigned n, i;

	if (point->way != ATTACH_TCX ||
	    tcx_list(point, ids, ARRAY_SIZE(ids), &n, &change.revision))
		return;
	for (i = 0; i < n && ids[i] != id; i++)
		;
	if (i == n)
		return;
	if (i) {
		change.flags = TCX_AFTER | TCX_ID;
		change.relative = ids[i - 1];
	}
	bpf_call(BPF_PROG_DETACH, &change, sizeof(change));
}
