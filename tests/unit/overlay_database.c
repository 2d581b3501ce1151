#include "overlay_database.h"

#include <stdlib.h>
#include <string.h>

/* "KEY=VALUE KEY=VALUE" as JSON of a map; the caller's. */
static char *options_json(const char *text)
{
	char *words = xstrdup(text), *rest, *word, *value, *more;
	char *json = xstrdup("");

	for (word = strtok_r(words, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		value = strchr(word, '=');
		*value = '\0';
		more = xasprintf("%s%s['%s','%s']", json, json[0] ? "," : "",
				 word, value + 1);
		free(json);
		json = more;
	}
	free(words);
	return json;
}

void overlay_database_add_vxlan(struct segment_database *f, const char *bridge,
				const char *name, const char *options)
{
	char *json = options_json(options);

	segment_database_run(
		f,
		"[{'op':'insert','table':'Interface','uuid-name':'i',"
		"  'row':{'name':'%s','type':'vxlan','options':['map',[%s]]}},"
		" {'op':'insert','table':'Port','uuid-name':'p',"
		"  'row':{'name':'%s','interfaces':['named-uuid','i']}},"
		" {'op':'mutate','table':'Bridge','where':[['name','==','%s']],"
		"  'mutations':[['ports','insert',['named-uuid','p']]]}]",
		name, json, name, bridge);
	free(json);
	segment_database_read(f);
}

void overlay_database_set_vxlan(struct segment_database *f, const char *name,
				const char *options)
{
	char *json = options_json(options);

	segment_database_run(f,
			     "[{'op':'update','table':'Interface',"
			     "  'where':[['name','==','%s']],"
			     "  'row':{'options':['map',[%s]]}}]",
			     name, json);
	free(json);
	segment_database_read(f);
}

void overlay_database_del_port(struct segment_database *f, const char *bridge,
			       const char *name)
{
	const struct cfg_bridge *b = segment_database_bridge(f, bridge);

	for (size_t i = 0; i < b->n_ports; i++) {
		char uuid[UUID_LEN + 1];

		if (strcmp(b->ports[i]->name, name) != 0)
			continue;
		uuid_format(&b->ports[i]->uuid, uuid);
		segment_database_run(
			f,
			"[{'op':'mutate','table':'Bridge',"
			"  'where':[['name','==','%s']],"
			"  'mutations':[['ports','delete',['uuid','%s']]]}]",
			bridge, uuid);
		segment_database_read(f);
		return;
	}
	fail_msg("%s", name);
}

const struct cfg_port *overlay_database_find_port(
	const struct segment_database *f, const char *bridge, const char *name)
{
	const struct cfg_bridge *b = segment_database_bridge(f, bridge);

	for (size_t i = 0; b && i < b->n_ports; i++)
		if (!strcmp(b->ports[i]->name, name))
			return b->ports[i];
	return NULL;
}

void overlay_database_add_mac(struct segment_database *f, const char *name,
			      const char *columns)
{
	segment_database_run(
		f,
		"[{'op':'insert','table':'Remote_MAC','uuid-name':'m','row':%s},"
		" {'op':'mutate','table':'Interface','where':[['name','==','%s']],"
		"  'mutations':[['remote_macs','insert',['named-uuid','m']]]}]",
		columns, name);
	segment_database_read(f);
}
