/* What the keeper's files share. */
#ifndef VMM_HOST_KEEPER_PRIVATE_H
#define VMM_HOST_KEEPER_PRIVATE_H

#include "vmm/host/api.h"
#include "vmm/host/console.h"
#include "vmm/host/directory.h"
#include "vmm/host/link.h"
#include "vmm/host/storage.h"
#include "vmm/host/wiring.h"
#include "vmm/machine/machine.h"

struct keeper {
	struct event_base *base;
	struct vm_directory *dir;
	struct vm_config *config;
	bool detach, restore;
	struct machine_files files; /* until they are the machine's */
	bool stale;		    /* ports of before are left */
	bool wired;		    /* a port was added */
	struct storage *storage;
	struct console *serial, *hvc, *log;
	struct api *api;
	struct link *link;
	struct event *signals[4], *deadline;
	int reaper;
	int log_end; /* of the machine's messages */
	pid_t machine;
	const char *state;
	bool saved;		      /* and so it ends */
	bool started, booted, ending; /* ending: we were asked to end it */
	bool adding, saving;	      /* a card, all of it */
	struct lost_net *lost;	      /* cards to be connected again */
	char *why;		      /* the machine's own words on its end */
};

/* What the VM needs, in order; each 0 or -errno with a message. */
int keeper_prepare(struct keeper *k, char **errp);
/*
 * The card's port and sockets. Where we listen the socket is there before the
 * port, so that vswd finds it at once; where vswd listens it is the other way
 * round.
 */
int keeper_plug_net(struct keeper *k, struct wiring *wiring, struct vm_net *net,
		    struct machine_net_files *files, char **errp);
/* Its socket alone: where we listen, or, if vswd does, connected to that. */
int keeper_open_net(struct keeper *k, struct wiring *wiring,
		    const struct vm_net *net, struct machine_net_files *files,
		    char **errp);
char *keeper_net_socket(const struct keeper *k, const struct vm_net *net);

/* Ends the machine now. */
void keeper_kill(struct keeper *k);
/* An API request (api_command). */
void keeper_command(struct api_request *request, const char *command,
		    const json_t *message, void *keeper);
/* The machine's events that are about cards. */
void keeper_net_lost(struct keeper *k, const char *id);
void keeper_net_removed(struct keeper *k, const char *id);

#endif
