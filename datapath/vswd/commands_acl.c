/* acl/show: access lists, how often each rule has decided, and whose they are.
 */
#include <stdlib.h>
#include <string.h>

#include "vswd/acls.h"
#include "vswd/commands.h"
#include "vswd/json_field.h"
#include "vswd/switch.h"

static json_t *rules_json(const struct vacl *v)
{
	json_t *rules = json_array();

	for (unsigned i = 0; i < v->in_force->n_rules; i++)
		json_array_append_new(
			rules,
			json_pack("{s:i, s:s, s:I}", "order",
				  (int)v->in_force->rules[i].order, "rule",
				  v->in_force->texts[i], "packets",
				  (json_int_t)vacl_hits(v, i)));
	return rules;
}

static bool has_name(const char *name, const struct vacl *v)
{
	return name && !strcmp(name, v->config->name);
}

static json_t *ports_json(const struct vswitch *vs, const struct vacl *v)
{
	json_t *ports = json_array();
	struct vport **list;
	size_t n;

	list = command_sorted_vports(vs, NULL, &n);
	for (size_t i = 0; i < n; i++) {
		const struct cfg_port *c = list[i]->config;
		const char *name = list[i]->interface->name;

		if (has_name(c->acl_in, v))
			json_array_append_new(ports,
					      json_sprintf("%s (in)", name));
		if (has_name(c->acl_out, v))
			json_array_append_new(ports,
					      json_sprintf("%s (out)", name));
	}
	free(list);
	return ports;
}

static json_t *acl_json(const struct vswitch *vs, const struct vacl *v)
{
	unsigned n = v->in_force->n_rules;

	return json_pack("{s:s, s:s, s:o, s:I, s:I, s:o, s:s?}", "name",
			 v->config->name, "default_action",
			 v->in_force->allow ? "allow" : "deny", "rules",
			 rules_json(v), "default_packets",
			 (json_int_t)vacl_hits(v, n), "unreadable_packets",
			 (json_int_t)vacl_hits(v, n + 1), "ports",
			 ports_json(vs, v), "error", v->error);
}

static void acl_text(struct text *text, const json_t *json)
{
	const json_t *rule, *port, *list = json_object_get(json, "ports");
	size_t i;

	text_add(text, "access list %s", field_text(json, "name"));
	json_array_foreach(list, i, port)
		text_add(text, "%s%s", i ? ", " : ": ",
			 json_string_value(port));
	text_add(text, "\n");
	if (field_text(json, "error")[0])
		text_add(text, "  error: %s\n", field_text(json, "error"));
	text_add(text, "  %12s  %7s  %s\n", "packets", "order", "rule");
	list = json_object_get(json, "rules");
	json_array_foreach(list, i, rule)
		text_add(text, "  %12llu  %7llu  %s\n",
			 field_number(rule, "packets"),
			 field_number(rule, "order"), field_text(rule, "rule"));
	text_add(text, "  %12llu  %7s  %s\n",
		 field_number(json, "default_packets"), "default",
		 field_text(json, "default_action"));
	text_add(text, "  %12llu  %7s  %s\n",
		 field_number(json, "unreadable_packets"), "-",
		 "denied: headers that cannot be read");
}

static int compare(const void *a_, const void *b_)
{
	const struct vacl *const *a = a_, *const *b = b_;

	return strverscmp((*a)->config->name, (*b)->config->name);
}

static void show_all(struct control_request *request, struct vswitch *vs)
{
	struct vacl **list = NULL;
	json_t *all = json_array();
	size_t n = 0;

	for (struct vacl *v = vs->acls; v; v = v->next) {
		list = xrealloc(list, (n + 1) * sizeof(*list));
		list[n++] = v;
	}
	if (n)
		qsort(list, n, sizeof(*list), compare);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, acl_json(vs, list[i]));
	free(list);
	command_reply_each(request, all, acl_text);
}

static void acl_show(struct control_request *request, int argc,
		     const char *const argv[], void *vs_)
{
	struct vswitch *vs = vs_;
	const struct vacl *v;

	if (argc == 1) {
		show_all(request, vs);
		return;
	}
	v = acls_find(vs, argv[1]);
	if (!v)
		command_fail(request, "%s: no such access list", argv[1]);
	else
		command_reply_each(request, json_pack("[o]", acl_json(vs, v)),
				   acl_text);
}

void commands_register_acl(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "acl/show", "[NAME]", 0, 1, acl_show, vs);
}
