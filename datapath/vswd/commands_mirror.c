/* mirror/show: what mirrors select, where it goes, and how much it was. */
#include "vswd/commands.h"
#include "vswd/mirror.h"

static json_t *port_names(const struct bridge *b, const struct uuid ports[],
			  size_t n)
{
	json_t *names = json_array();

	for (size_t i = 0; i < n; i++) {
		const char *name = mirror_port_name(b, &ports[i]);

		if (name)
			json_array_append_new(names, json_string(name));
	}
	return names;
}

static json_t *vlans_json(const struct vlan_set *set)
{
	json_t *vlans = json_array();

	for (unsigned vid = 0; vid < VLAN_N; vid++)
		if (vlan_set_has(set, vid))
			json_array_append_new(vlans, json_integer(vid));
	return vlans;
}

static json_t *mirror_json(const struct bridge *b, const struct mirror *m)
{
	const struct cfg_mirror *c = m->config;
	const char *output = c->has_output_port
				     ? mirror_port_name(b, &c->output_port)
				     : NULL;
	uint64_t packets, bytes;
	json_t *json;

	mirror_sum(m, &packets, &bytes);
	json = json_pack(
		"{s:s, s:s, s:b, s:o, s:o, s:I, s:I}", "bridge", b->name,
		"name", c->name, "select_all", (int)c->select_all,
		"select_src_port", port_names(b, c->sources, c->n_sources),
		"select_dst_port",
		port_names(b, c->destinations, c->n_destinations), "tx_packets",
		(json_int_t)packets, "tx_bytes", (json_int_t)bytes);
	if (c->vlans)
		json_object_set_new(json, "select_vlan", vlans_json(c->vlans));
	if (output)
		json_object_set_new(json, "output_port", json_string(output));
	if (c->output_vlan)
		json_object_set_new(json, "output_vlan",
				    json_integer(c->output_vlan));
	if (c->snaplen)
		json_object_set_new(json, "snaplen", json_integer(c->snaplen));
	if (m->error)
		json_object_set_new(json, "error", json_string(m->error));
	return json;
}

static void words_text(struct text *text, const char *what, const json_t *words)
{
	const json_t *word;
	size_t i;

	json_array_foreach(words, i, word)
		text_add(text, "%s%s", i ? "," : what, json_string_value(word));
}

/* "10,20-29" */
static void vlans_text(struct text *text, const json_t *vlans)
{
	size_t n = json_array_size(vlans);

	for (size_t i = 0, last; i < n; i = last + 1) {
		long first = json_integer_value(json_array_get(vlans, i));

		last = i;
		while (last + 1 < n &&
		       json_integer_value(json_array_get(vlans, last + 1)) ==
			       first + (long)(last + 1 - i))
			last++;
		text_add(text, "%s%ld", i ? "," : ", in VLAN ", first);
		if (last > i)
			text_add(text, "-%ld", first + (long)(last - i));
	}
}

static void mirror_text(struct text *text, const json_t *json)
{
	const json_t *port = json_object_get(json, "output_port");
	const json_t *vlan = json_object_get(json, "output_vlan");
	const json_t *snaplen = json_object_get(json, "snaplen");
	const json_t *error = json_object_get(json, "error");

	text_add(text, "%s: mirror %s\n  selects:",
		 json_string_value(json_object_get(json, "bridge")),
		 json_string_value(json_object_get(json, "name")));
	if (json_is_true(json_object_get(json, "select_all")))
		text_add(text, " all ports");
	words_text(text, " in by ", json_object_get(json, "select_src_port"));
	words_text(text, " out by ", json_object_get(json, "select_dst_port"));
	vlans_text(text, json_object_get(json, "select_vlan"));
	text_add(text, "\n  output: ");
	if (port)
		text_add(text, "port %s", json_string_value(port));
	if (vlan)
		text_add(text, "%sVLAN %lld", port ? ", " : "",
			 (long long)json_integer_value(vlan));
	if (snaplen)
		text_add(text, ", %lld bytes of a packet",
			 (long long)json_integer_value(snaplen));
	text_add(text, "\n  copied: %lld packets, %lld bytes\n",
		 (long long)json_integer_value(
			 json_object_get(json, "tx_packets")),
		 (long long)json_integer_value(
			 json_object_get(json, "tx_bytes")));
	if (error)
		text_add(text, "  error: %s\n", json_string_value(error));
}

static void cmd_mirror_show(struct control_request *request, int argc,
			    const char *const argv[], void *aux)
{
	struct vswitch *vs = aux;
	const struct bridge *only = NULL;
	json_t *all;

	if (argc > 1) {
		only = command_bridge(request, vs, argv[1]);
		if (!only)
			return;
	}
	all = json_array();
	for (const struct bridge *b = vs->bridges; b; b = b->next)
		for (const struct mirror *m = b->mirrors;
		     m && (!only || b == only); m = m->next)
			json_array_append_new(all, mirror_json(b, m));
	command_reply_each(request, all, mirror_text);
}

void commands_register_mirror(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "mirror/show", "[bridge]", 0, 1,
			 cmd_mirror_show, vs);
}
