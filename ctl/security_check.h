/*
 * Settings of ports' security: lists of addresses (allowed-macs, allowed-ips),
 * and what needs to know a port's MAC addresses. vswd would say the same in
 * Interface:error, but only after it was stored.
 */
#ifndef CTL_SECURITY_CHECK_H
#define CTL_SECURITY_CHECK_H

#include "base/util.h"

struct ctl;

/* Why the list is not taken, freed by the caller; NULL: it is. */
char *security_check_macs(const char *value);
char *security_check_ips(const char *value);

/*
 * When all commands have run: ends the program when a port rejects what it
 * cannot tell, as no MAC address is its own.
 */
void security_check(struct ctl *ctl);

#endif
