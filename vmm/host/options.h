/*
 * The command line of `vsw-vmm run` and the tables behind it, from which its
 * help is made, too.
 */
#ifndef VMM_HOST_OPTIONS_H
#define VMM_HOST_OPTIONS_H

#include "vmm/host/config.h"
#include "vmm/host/fields.h"

extern const struct vm_field vm_config_fields[];

/* A VM's name, which is a directory's, too. */
bool vm_name_valid(const char *name);
/* Names the cards and disks that have no name; refuses two of one name. */
int vm_config_name_devices(struct vm_config *config, char **errp);
json_t *vm_net_to_json(const struct vm_net *net);
/* As vm_config_from_json(), of one card, or of a string as --net has it; to be
 * freed also when it failed. */
int vm_net_from_json(struct vm_net *net, const json_t *json, char **errp);
void vm_net_uninit(struct vm_net *net);

struct vm_options {
	struct vm_config config;
	bool detach;
};

/* Of "--kernel FILE", "--kernel=FILE" and so on, up to a NULL. 0 or -EINVAL. */
int vm_options_parse(struct vm_options *options, char **words, char **errp);
void vm_options_help(void);
/* The keys of --net alone. */
void vm_net_options_help(void);
/* One entry of help in two columns; `help` is "ARGS\ttext". */
void help_entry(const char *before, const char *name, const char *sep,
		const char *help);

#endif
