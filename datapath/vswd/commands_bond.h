/*
 * What the commands on bonds share: bond/... (commands_bond.c, what can be done
 * by hand; commands_bond_show.c, what is shown) and lacp/... (commands_lacp.c).
 * Texts are those of ovs-appctl 3.1, so that what reads it reads us; what we
 * have to say beyond it stands in lines of its own, below. Control thread.
 */
#ifndef VSWD_COMMANDS_BOND_H
#define VSWD_COMMANDS_BOND_H

#include "vswd/commands.h"
#include "vswd/vbond.h"

/* The bonds of all bridges by name; freed by the caller. */
struct vbond **command_sorted_bonds(const struct vswitch *vs, size_t *n);
/*
 * The one that argv[1] names, or all without it; freed by the caller. NULL
 * after a reply that begins with the words `what`.
 */
struct vbond **command_bonds(struct control_request *request,
			     struct vswitch *vs, int argc,
			     const char *const argv[], const char *what,
			     size_t *n);

/* Replies that this name is nothing that LACP runs on. */
void command_no_such_lacp(struct control_request *request,
			  const struct vswitch *vs, const char *name);

/* "balance-tcp": Open vSwitch's word, or that of other_config:bond-policy. */
const char *bond_policy_word(enum bond_policy policy);

/* commands_bond_show.c: bond/list and bond/show */
void command_bond_list(struct control_request *request, int argc,
		       const char *const argv[], void *aux);
void command_bond_show(struct control_request *request, int argc,
		       const char *const argv[], void *aux);

#endif
