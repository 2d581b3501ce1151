/* The other end of the API socket, for the commands of vsw-vmm. Blocking. */
#ifndef VMM_HOST_CLIENT_H
#define VMM_HOST_CLIENT_H

#include <jansson.h>
#include <stdio.h>

#include "vmm/host/directory.h"

/*
 * Sends a request (the reference is taken over) to a VM and waits for its
 * reply, up to timeout_s (0: for ever). The result, or NULL with a message.
 * `stream` (may be NULL) gets the connection, for the events that follow.
 */
json_t *client_call(const char *vm, json_t *request, unsigned int timeout_s,
		    FILE **stream, char **errp);
/* Connects to a socket in the VM's directory, or -errno with a message. */
int client_connect(const char *vm, const char *socket, char **errp);

/*
 * What is known of a VM, whether it runs or not: the object, or NULL with a
 * message. One that runs has timeout_s to answer and is "busy" after that, or
 * has to (0).
 */
json_t *client_describe(const char *name, unsigned int timeout_s, char **errp);
/* vsw-vmm list: 0 or -errno with a message. */
int client_list(char **errp);

#endif
