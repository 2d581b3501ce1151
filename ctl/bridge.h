/*
 * Bridges, ports and interfaces as people name them: real bridges and fake
 * ones (a VLAN of a real bridge that has a name of its own), and which of them
 * a port belongs to.
 */
#ifndef CTL_BRIDGE_H
#define CTL_BRIDGE_H

#include "ctl/ctl.h"
#include "ctl/view.h"

struct bridge {
	struct view_row *row;  /* of Bridge: a fake bridge's parent */
	struct view_row *port; /* a fake bridge's own Port, or NULL */
	const char *name;      /* lives as long as the rows */
	json_int_t vlan;       /* of a fake bridge, else 0 */
};

/* What port_create() makes. */
struct port_spec {
	const char *bridge, *name;
	char **ifaces;
	size_t n_ifaces;
	char **settings; /* "COLUMN[:KEY]=VALUE" */
	size_t n_settings;
	bool fake_iface;
};

/* Queue what finding a thing of that name needs. */
void bridge_want(struct ctl *ctl, const char *name);
void port_want(struct ctl *ctl, const char *name);

/* Returns false when there is no real or fake bridge of that name. */
bool bridge_find(struct ctl *ctl, const char *name, struct bridge *bridge);
/* Ends the program with a message when there is none. */
struct bridge bridge_get(struct ctl *ctl, const char *name);
/* The same for commands that act on real bridges' rows only. */
struct bridge bridge_get_real(struct ctl *ctl, const char *name);
/* The Bridge rows and all fake bridges, sorted by name; free() it. */
struct bridge *bridge_list(struct ctl *ctl, size_t *n);
/* The fake bridge of this VLAN on a real bridge; false: none. */
bool bridge_find_child(struct ctl *ctl, struct view_row *row, json_int_t vlan,
		       struct bridge *child);
/*
 * The Ports of a bridge, apart from bridges' own: a real one's without those of
 * its fake bridges. free() it.
 */
struct view_row **bridge_ports(struct ctl *ctl, const struct bridge *bridge,
			       size_t *n);

/* NULL when there is none. A fake bridge's Port is none. */
struct view_row *port_find(struct ctl *ctl, const char *name);
/* The bridge (real or fake) that a Port is on; false: it is on none. */
bool port_bridge(struct ctl *ctl, struct view_row *port, struct bridge *bridge);
/* The Port that has an Interface of that name, or NULL. */
struct view_row *iface_port(struct ctl *ctl, const char *name);
/* Its Interfaces' names, sorted; free() the array, not the names. */
const char **port_ifaces(struct ctl *ctl, struct view_row *port, size_t *n);

/* Ends the program when a bridge, port or interface has that name. */
void bridge_check_conflict(struct ctl *ctl, const char *name, const char *what);
void port_check_conflict(struct ctl *ctl, const char *name, const char *what);

/* A fatal message with the nearest name of that table's rows. */
void no_such(struct ctl *ctl, const char *table, const char *what,
	     const char *name) __attribute__((noreturn));

int compare_names(const void *a, const void *b); /* for qsort of char * */

/* Prints names, one a line, or as a JSON array; sorts them. */
void output_names(struct ctl_command *cmd, const char **names, size_t n);
/* Prints one text, or as a JSON string. */
void output_string(struct ctl_command *cmd, const char *text);

#endif
