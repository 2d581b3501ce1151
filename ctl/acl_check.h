/*
 * Access lists and the ports that refer to them: what vswd would only complain
 * of is refused before it is stored.
 */
#ifndef CTL_ACL_CHECK_H
#define CTL_ACL_CHECK_H

struct ctl;

/*
 * After the commands ran: ends the program with a message when a rule that they
 * have set makes no sense, when a port's acl-in or acl-out names a list that is
 * not there, or a list goes that a port refers to.
 */
void acl_check(struct ctl *ctl);

#endif
