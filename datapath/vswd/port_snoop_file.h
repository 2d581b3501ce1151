/*
 * The file in which ports' DHCP leases outlive the daemon (state_file.h), as
 * JSON: whose they are by the port's name, and how long they last by how long
 * ago it was written. Control thread.
 */
#ifndef VSWD_PORT_SNOOP_FILE_H
#define VSWD_PORT_SNOOP_FILE_H

#include <jansson.h>

#include "vswd/dhcp_snoop.h"

struct snoop_file;

/* NULL: nothing is remembered. run_dir NULL: nor will it be. */
struct snoop_file *snoop_file_read(const char *run_dir);
void snoop_file_free(struct snoop_file *file); /* accepts NULL */
/* One of the port's leases, which is not remembered here any more. */
bool snoop_file_take(struct snoop_file *file, const char *port,
		     struct dhcp_binding *binding);

/* A lease for the file; also what people are shown of it. */
json_t *snoop_file_entry(const char *port, uint64_t now_ms,
			 const struct dhcp_binding *binding);
/* Those that no port has asked for. */
void snoop_file_add_rest(const struct snoop_file *file, uint64_t now_ms,
			 json_t *entries);
void snoop_file_write(const char *run_dir, const json_t *entries);

#endif
