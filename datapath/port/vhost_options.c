/*
 * Options of a vhost-user port (vhost_options.h). A key that is not known, or a
 * value that makes no sense, is refused: a misspelt "packed" that is silently
 * ignored costs an afternoon.
 */
#include "port/vhost_options.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "vhost/feature_names.h"
#include "vhost/session.h"

LOG_MODULE(vhost);

/* Open vSwitch's for a vhost port, that mean nothing here. */
static const char *const without_effect[] = {
	"n_rxq", "n_rxq_desc", "n_txq_desc", "dq-zero-copy", "tx-retries-max",
};

static int bad_value(const struct port_config *config, const char *key,
		     const char *value, const char *right, char **errp)
{
	return set_error(errp, -EINVAL, "%s: options:%s cannot be \"%s\"; %s",
			 config->name, key, value, right);
}

static bool parse_number(const char *text, int base, long min, long max,
			 long *value)
{
	char *end;

	errno = 0;
	*value = strtol(text, &end, base);
	return !errno && end != text && !*end && *value >= min && *value <= max;
}

/* A user's or a group's name or number. */
static bool find_user(const char *text, uid_t *uid)
{
	const struct passwd *user;
	long n;

	if (parse_number(text, 10, 0, UINT32_MAX - 1, &n)) {
		*uid = n;
		return true;
	}
	user = getpwnam(text);
	if (user)
		*uid = user->pw_uid;
	return user;
}

static bool find_group(const char *text, gid_t *gid)
{
	const struct group *group;
	long n;

	if (parse_number(text, 10, 0, UINT32_MAX - 1, &n)) {
		*gid = n;
		return true;
	}
	group = getgrnam(text);
	if (group)
		*gid = group->gr_gid;
	return group;
}

static int read_switch(struct vhost_options *o,
		       const struct port_config *config, const char *key,
		       const char *value, char **errp)
{
	if (!strcmp(value, "false"))
		o->features_off |= vhost_feature_switch(key);
	else if (strcmp(value, "true"))
		return bad_value(config, key, value, "it is true or false",
				 errp);
	return 0;
}

static void list_options(char *to, size_t size)
{
	const char *name;
	size_t used;

	used = snprintf(to, size,
			"vhost-server-path, queues, socket-mode, "
			"socket-owner, socket-group");
	for (size_t i = 0; (name = vhost_feature_switch_name(i)); i++)
		if (used < size)
			used += snprintf(to + used, size - used, ", %s", name);
}

static int unknown_key(const struct port_config *config, const char *key,
		       char **errp)
{
	char known[256];

	list_options(known, sizeof(known));
	return set_error(errp, -EINVAL,
			 "%s: there is no option '%s' of a %s port; there "
			 "are %s",
			 config->name, key, config->type, known);
}

static bool has_no_effect(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(without_effect); i++)
		if (!strcmp(key, without_effect[i]))
			return true;
	return false;
}

static int read_option(struct vhost_options *o,
		       const struct port_config *config, const char *key,
		       const char *value, char **errp)
{
	long n;

	if (!strcmp(key, "vhost-server-path") || has_no_effect(key))
		return 0;
	if (vhost_feature_switch(key))
		return read_switch(o, config, key, value, errp);
	if (!strcmp(key, "queues")) {
		if (!parse_number(value, 10, 1, VHOST_QUEUE_PAIRS_MAX, &n))
			return bad_value(config, key, value,
					 "it is the number of queue pairs, "
					 "from 1 to 128",
					 errp);
		o->n_pairs = n;
	} else if (!strcmp(key, "socket-mode")) {
		if (!parse_number(value, 8, 0, 0777, &n))
			return bad_value(config, key, value,
					 "it is octal, such as 0660", errp);
		o->mode = n;
	} else if (!strcmp(key, "socket-owner")) {
		if (!find_user(value, &o->owner))
			return bad_value(config, key, value,
					 "there is no such user", errp);
	} else if (!strcmp(key, "socket-group")) {
		if (!find_group(value, &o->group))
			return bad_value(config, key, value,
					 "there is no such group", errp);
	} else {
		return unknown_key(config, key, errp);
	}
	return 0;
}

/*
 * Where sockets without a path are: as Open vSwitch's vhost-sock-dir has it, a
 * directory below the run directory.
 */
static char *socket_dir(const struct port_config *config)
{
	const char *below = port_config_setting(config, "vhost-sock-dir");
	const char *dir = config->run_dir ? config->run_dir : ".";
	char *path;

	if (below && strstr(below, "..")) {
		log_warn("Open_vSwitch: other_config:vhost-sock-dir is \"%s\"; "
			 "it must be below the run directory, without \"..\"; "
			 "it is ignored",
			 below);
		below = NULL;
	}
	if (!below || !below[0])
		return xstrdup(dir);
	path = xasprintf("%s/%s", dir, below);
	if (mkdir(path, 0755) && errno != EEXIST)
		log_warn("vhost-sock-dir: cannot make directory %s: %m", path);
	return path;
}

static char *full_path(const struct port_config *config, const char *path)
{
	char *dir, *full;

	if (path[0] == '/')
		return xstrdup(path);
	dir = socket_dir(config);
	full = xasprintf("%s/%s", dir, path);
	free(dir);
	return full;
}

static int read_path(struct vhost_options *o, const struct port_config *config,
		     char **errp)
{
	const char *path = port_config_option(config, "vhost-server-path");

	if ((!path || !path[0]) && o->client)
		return set_error(errp, -EINVAL,
				 "%s: a %s port needs the front end's socket: "
				 "options:vhost-server-path=FILE",
				 config->name, config->type);
	if (!path || !path[0])
		path = config->name;
	o->path = full_path(config, path);
	if (strlen(o->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return set_error(errp, -EINVAL,
				 "%s: %s: the name of a socket has at most "
				 "%zu characters; choose a shorter "
				 "options:vhost-server-path",
				 config->name, o->path,
				 sizeof(((struct sockaddr_un *)0)->sun_path) -
					 1);
	return 0;
}

int vhost_options_read(struct vhost_options *o,
		       const struct port_config *config, bool client,
		       char **errp)
{
	int error = 0;

	*o = (struct vhost_options){
		.client = client,
		.mode = VHOST_SOCKET_MODE_DEFAULT,
		.owner = -1,
		.group = -1,
		.n_pairs = VHOST_QUEUES_DEFAULT,
	};
	for (size_t i = 0; i < config->n_options && !error; i++)
		error = read_option(o, config, config->options[i].key,
				    config->options[i].value, errp);
	return error ? error : read_path(o, config, errp);
}

void vhost_options_free(struct vhost_options *o)
{
	free(o->path);
	o->path = NULL;
}

bool vhost_options_equal(const struct vhost_options *a,
			 const struct vhost_options *b)
{
	return a->client == b->client && !strcmp(a->path, b->path) &&
	       a->mode == b->mode && a->owner == b->owner &&
	       a->group == b->group && a->n_pairs == b->n_pairs &&
	       a->features_off == b->features_off;
}
