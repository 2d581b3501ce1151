/* Ports' DHCP leases in a file; see port_snoop_file.h. */
#include "vswd/port_snoop_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/json_field.h"
#include "vswd/state_file.h"
#include "vswd/vbond.h"

LOG_MODULE(snoop);

#define KIND	 "vsw-snoo"
#define FILE_MAX (64u << 20)

struct remembered {
	char *port; /* NULL: taken */
	struct dhcp_binding binding;
};

struct snoop_file {
	size_t n;
	struct remembered *entries;
};

static char *path_of(const char *run_dir)
{
	return run_dir ? xasprintf("%s/dhcp-leases", run_dir) : NULL;
}

/* --- an entry --------------------------------------------------------------
 */

json_t *snoop_file_entry(const char *port, uint64_t now_ms,
			 const struct dhcp_binding *b)
{
	char ip[NET_TEXT_MAX], client[2 * SNOOPED_CLIENT_MAX + 1] = "";
	json_t *entry;

	for (unsigned i = 0; i < b->client_len; i++)
		snprintf(client + 2 * i, 3, "%02x", b->client[i]);
	entry = json_pack("{s:s, s:s, s:i, s:s}", "port", port, "ip",
			  net_addr_text(&b->ip, ip), "prefix-len",
			  (int)b->prefix_len, "client", client);
	if (b->ends_ms != SNOOP_NEVER)
		json_object_set_new(
			entry, "left-ms",
			json_integer((json_int_t)(b->ends_ms > now_ms
							  ? b->ends_ms - now_ms
							  : 0)));
	return entry;
}

static bool read_client(struct dhcp_binding *b, const char *text)
{
	size_t n = strlen(text) / 2;

	if (!n || n > SNOOPED_CLIENT_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (sscanf(text + 2 * i, "%2hhx", &b->client[i]) != 1)
			return false;
	b->client_len = (uint8_t)n;
	return true;
}

/* False: it is none, or has ended. */
static bool read_entry(struct remembered *r, const json_t *entry,
		       uint64_t age_ms)
{
	const json_t *left = json_object_get(entry, "left-ms");
	unsigned long long len = field_number(entry, "prefix-len");
	struct dhcp_binding *b = &r->binding;

	if (!net_addr_parse(&b->ip, field_text(entry, "ip"), 0) ||
	    len > (b->ip.version == 4 ? 32 : 128) ||
	    !read_client(b, field_text(entry, "client")))
		return false;
	b->prefix_len = (uint8_t)len;
	b->ends_ms = SNOOP_NEVER;
	if (left && (uint64_t)json_integer_value(left) <= age_ms)
		return false;
	if (left)
		b->ends_ms = vswitch_now_ms() +
			     (uint64_t)json_integer_value(left) - age_ms;
	r->port = xstrdup(field_text(entry, "port"));
	return true;
}

/* --- the file --------------------------------------------------------------
 */

static struct snoop_file *decode(const uint8_t *data, size_t len,
				 uint64_t age_ms)
{
	json_t *all = json_loadb((const char *)data, len, 0, NULL);
	struct snoop_file *file = xcalloc(1, sizeof(*file));
	size_t i;
	json_t *entry;

	file->entries =
		xcalloc(json_array_size(all) + 1, sizeof(*file->entries));
	json_array_foreach(all, i, entry) {
		struct remembered r = { 0 };

		if (read_entry(&r, entry, age_ms))
			file->entries[file->n++] = r;
	}
	json_decref(all);
	return file;
}

struct snoop_file *snoop_file_read(const char *run_dir)
{
	char *path = path_of(run_dir), *why = NULL;
	struct snoop_file *file = NULL;
	uint64_t age_ms = 0;
	uint8_t *data = NULL;
	size_t len = 0;
	int error;

	if (!path)
		return NULL;
	error = state_file_read(path, KIND, FILE_MAX, &data, &len, &age_ms,
				&why);
	if (!error)
		file = decode(data, len, age_ms);
	else if (error != -ENOENT)
		log_warn("leases that ports had are not known any more: %s",
			 why ? why : strerror(-error));
	free(data);
	free(why);
	free(path);
	return file;
}

void snoop_file_free(struct snoop_file *file)
{
	if (!file)
		return;
	for (size_t i = 0; i < file->n; i++)
		free(file->entries[i].port);
	free(file->entries);
	free(file);
}

bool snoop_file_take(struct snoop_file *file, const char *port,
		     struct dhcp_binding *binding)
{
	for (size_t i = 0; file && i < file->n; i++) {
		struct remembered *r = &file->entries[i];

		if (!r->port || strcmp(r->port, port))
			continue;
		*binding = r->binding;
		free(r->port);
		r->port = NULL;
		return true;
	}
	return false;
}

void snoop_file_add_rest(const struct snoop_file *file, uint64_t now_ms,
			 json_t *entries)
{
	for (size_t i = 0; file && i < file->n; i++) {
		const struct remembered *r = &file->entries[i];

		if (r->port && r->binding.ends_ms > now_ms)
			json_array_append_new(
				entries,
				snoop_file_entry(r->port, now_ms, &r->binding));
	}
}

void snoop_file_write(const char *run_dir, const json_t *entries)
{
	char *path = path_of(run_dir), *why = NULL, *text;
	struct state_writer *w;
	int error;

	if (!path)
		return;
	text = json_dumps(entries, JSON_COMPACT);
	error = state_file_create(path, KIND, &w, &why);
	if (!error) {
		error = state_file_write(w, text, strlen(text));
		error = state_file_finish(w, !error, &why);
	}
	if (error)
		log_warn("ports' leases are not kept over a restart: %s",
			 why ? why : strerror(-error));
	free(text);
	free(why);
	free(path);
}
