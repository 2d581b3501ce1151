/*
 * What the database says the switch should be: a tree of plain values, checked,
 * with defaults filled in, free of anything of OVSDB but the rows' names.
 *
 * config_read.c makes it and reconcile.c carries it out. A port's node is
 * immutable and stays the same object as long as the port's rows have not
 * changed: comparing two pointers tells whether there is anything to do.
 *
 * Everything here belongs to the control thread.
 */
#ifndef VSWD_CONFIG_H
#define VSWD_CONFIG_H

#include "base/number_pairs.h"
#include "base/private_vlans.h"
#include "bond/bond.h"
#include "forward/snapshot.h"
#include "ovsdb-lite/uuid.h"
#include "policy/storm.h"
#include "port/port.h"
#include "shape/policer.h"

#define CONFIG_STATS_INTERVAL_MS     5000
#define CONFIG_STATS_INTERVAL_MIN_MS 1000
#define CONFIG_POLL_IDLE_US	     50
#define CONFIG_POLL_IDLE_MAX_US	     1000000
#define CONFIG_CORE_MAX		     1023
#define CONFIG_QUEUE_MAX	     65535
#define CONFIG_OFPORT_MAX	     65279 /* OpenFlow's last ordinary port */

enum cfg_lldp { CFG_LLDP_DEFAULT, CFG_LLDP_OFF, CFG_LLDP_ON };
enum cfg_cdp {
	CFG_CDP_DEFAULT,
	CFG_CDP_OFF,
	CFG_CDP_RECEIVE,
	CFG_CDP_BOTH,
};

enum mac_limit_action {
	MAC_LIMIT_ALLOW, /* not learned, and forwarded */
	MAC_LIMIT_EVICT, /* learned in the place of another */
	MAC_LIMIT_DROP,
};

struct cfg_acl;	     /* vswd/config_acl.h */
struct cfg_mirror;   /* vswd/config_mirror.h */
struct cfg_overlay;  /* vswd/config_overlay.h */
struct cfg_qos;	     /* vswd/config_qos.h */
struct cfg_security; /* vswd/config_security.h */
struct cfg_segment;  /* vswd/config_segment.h */

struct cfg_interface {
	struct uuid uuid;
	char *name;
	char *type; /* as in the database, "" for a device */
	struct port_option *options;
	size_t n_options;
	int64_t ofport;		 /* the column when the row was read; 0: none */
	uint16_t ofport_request; /* 0: none */
	uint64_t mac;		 /* 0: none */
	uint32_t mtu_request;	 /* 0: none */
	struct number_pairs worker_affinity; /* queue to worker */
	struct lacp_port_config lacp;	     /* 0 where nothing is said */
	struct policer_config policing;	     /* rates of 0: none */
	enum cfg_lldp lldp;		     /* lldp:enable */
	enum cfg_cdp cdp;		     /* other_config:cdp */
	struct cfg_overlay *overlay;	     /* type "vxlan"; else NULL */
};

#define CONFIG_MIIMON_MS     200
#define CONFIG_MIIMON_MIN_MS 100

/* What the rows say of a bond (config_read_bond.c). */
struct cfg_bond {
	/*
	 * Where nothing is said: lacp.system_id and .key and members' lacp.id
	 * are 0. Its strings are the port's.
	 */
	struct bond_config config;
	struct bond_member_config *members; /* by name; config.members */
	char *primary;			    /* config.primary */
	uint32_t miimon_ms;
	uint64_t active_mac; /* bond_active_slave, when the row was read */
	char *error;	     /* keys that contradict each other, or NULL */
};

/* Port:other_config:private-vlan, or Port:protected. */
enum cfg_apart {
	CFG_TOGETHER, /* nothing is said */
	CFG_PROMISCUOUS,
	CFG_ISOLATED,
	CFG_COMMUNITY,
};

struct cfg_port {
	unsigned refs;
	struct uuid uuid;
	char *name;
	struct cfg_interface *interfaces;
	size_t n_interfaces;
	struct vlan_config vlan; /* its sets are the two below, or NULL */
	struct vlan_set *trunks, *cvlans;
	uint32_t mac_limit;	    /* other_config:mac-table-limit; 0: none */
	bool marks;		    /* other_config:set-pcp and set-dscp: */
	int8_t mark_pcp, mark_dscp; /* -1: as it is */
	struct cfg_qos *qos;	    /* NULL: not shaped */
	enum mac_limit_action mac_limit_action;
	char *acl_in, *acl_out; /* names of access lists, or NULL */
	struct storm_config storm;
	struct cfg_security *security; /* NULL: nothing is restricted */
	enum cfg_apart apart;
	char *community;       /* its name, of CFG_COMMUNITY; else NULL */
	char *teaming_order;   /* names of bonds' members; NULL: none */
	struct cfg_bond *bond; /* NULL: one interface */
	char *error;  /* settings that cannot be carried out, or NULL */
	bool made_up; /* of a segment, or an underlay: in no row */
	/* Owns all but what differs (cfg_port_derive()), when not NULL. */
	struct cfg_port *base;
};

struct cfg_bridge {
	struct uuid uuid;
	char *name;
	struct cfg_port **ports; /* a reference each; in no order */
	size_t n_ports;
	struct cfg_mirror **mirrors; /* a reference each; by name */
	size_t n_mirrors;
	uint32_t mac_age_s;
	uint32_t mac_table_size;
	bool forward_bpdu;
	uint64_t hwaddr; /* other_config:hwaddr; 0: none */
	struct vlan_set flood_vlans;
	bool has_flood_vlans;
	struct private_vlans private_vlans;
	struct cfg_segment *segment; /* NULL: none */
	bool made_up; /* of a segment, or of underlays: in no row */
};

struct cfg_switch {
	struct uuid uuid; /* of the row of table Open_vSwitch */
	int64_t next_cfg, cur_cfg;
	unsigned n_workers; /* 0: as many as suit the machine */
	unsigned poll_idle_us;
	bool worker_auto_balance;
	bool kernel_fast_path;
	struct number_pairs worker_cores; /* other_config:worker-affinity */
	unsigned stats_interval_ms;
	struct port_option *settings; /* all of other_config, for ports */
	size_t n_settings;
	struct cfg_acl **acls; /* a reference each; in no order */
	size_t n_acls;
	struct cfg_bridge **bridges; /* sorted by name */
	size_t n_bridges;
};

struct cfg_port *cfg_port_ref(const struct cfg_port *port);
void cfg_port_unref(struct cfg_port *port); /* accepts NULL */
/*
 * While it is read: a setting that contradicts another, or asks for what is not
 * there, gets its reason, which the port's error column will show. Takes over
 * the text; the first one counts, all are logged.
 */
void cfg_port_refuse(struct cfg_port *port, char *why);
/*
 * The same with an error of its VXLAN port, the port's from now on; it has one
 * interface, of type vxlan.
 */
struct cfg_port *cfg_port_derive(const struct cfg_port *port, char *error);
void cfg_bridge_free(struct cfg_bridge *bridge);
void cfg_switch_free(struct cfg_switch *config); /* accepts NULL */

void cfg_bond_free(struct cfg_bond *bond); /* accepts NULL */
/* The same members and settings? Either may be NULL. */
bool cfg_bond_equals(const struct cfg_bond *a, const struct cfg_bond *b);

/* The same VLAN settings? Port limits are not looked at. */
bool cfg_vlan_equals(const struct cfg_port *a, const struct cfg_port *b);
/*
 * The same name, type and options? Those of a VXLAN port are not looked at: it
 * has no device.
 */
bool cfg_interface_same_device(const struct cfg_interface *a,
			       const struct cfg_interface *b);

/* Copies of a map's strings; freed with their array. */
struct port_option *cfg_options_clone(const struct port_option *options,
				      size_t n);
void cfg_options_free(struct port_option *options, size_t n);

/* Value of an option, or NULL. */
const char *cfg_interface_option(const struct cfg_interface *interface,
				 const char *key);

/* "aa:bb:cc:dd:ee:ff" to 48 bits; false for anything else. */
bool mac_from_string(const char *s, uint64_t *mac);
#define MAC_STRING_SIZE 18
char *mac_format(uint64_t mac, char buf[MAC_STRING_SIZE]);

#endif
