/*
 * What each segment is among the others: as its rows say, or, when that cannot
 * be, as they said when it last could (config_check_segments.h).
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/config_check_segments.h"
#include "vswd/db_segments_internal.h"

LOG_MODULE(config);

void segment_item_set_good(struct segment_item *item,
			   const struct cfg_segment *good)
{
	struct cfg_segment *old = item->good;

	item->good = good ? cfg_segment_ref(good) : NULL;
	cfg_segment_unref(old);
}

/* The same error as it has? Either may be NULL. */
static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static const char *forward_error_before(const struct cfg_segment *before,
					const struct uuid *uuid)
{
	for (size_t i = 0; before && i < before->n_forwards; i++)
		if (uuid_equals(&before->forwards[i].uuid, uuid))
			return before->forwards[i].error;
	return NULL;
}

/* The segment's own error is logged with whatever else it suffers from. */
static void log_forward_errors(const struct cfg_segment *now,
			       const struct cfg_segment *before)
{
	for (size_t i = 0; i < now->n_forwards && !now->error; i++) {
		const struct cfg_forward *f = &now->forwards[i];

		if (f->error && !same_text(f->error, forward_error_before(
							     before, &f->uuid)))
			log_warn("segment %s: forward of %s port %u: %s",
				 now->name, f->udp ? "udp" : "tcp",
				 f->outside_lo, f->error);
	}
}

/* Another value for the item: what it makes up follows. */
static void set_config(struct segment_item *item, struct cfg_segment *config)
{
	log_forward_errors(config, item->config);
	cfg_segment_unref(item->config);
	item->config = config;
	config_segment_ports_unref(&item->ports);
	config_segment_ports(config, &item->ports);
}

static bool has_errors(const struct segment_check *check)
{
	for (size_t i = 0; i < check->segment->n_forwards; i++)
		if (check->forward_errors[i])
			return true;
	return check->fails;
}

/* What it is now; the caller's. */
static struct cfg_segment *make_config(const struct segment_check *check)
{
	struct cfg_segment *config;

	if (!check->goes_on && !has_errors(check))
		return cfg_segment_ref(check->segment);
	config = cfg_segment_derive(segment_check_value(check),
				    check->fails ? check->error : NULL,
				    check->forward_errors);
	if (check->goes_on && !check->fails)
		config->refused = xstrdup(check->error);
	return config;
}

static const struct cfg_segment *what_was_read(const struct cfg_segment *s)
{
	while (s->base)
		s = s->base;
	return s;
}

/* Made of the same rows, and nothing else has changed either? */
static bool is_same(const struct cfg_segment *a, const struct cfg_segment *b)
{
	return a == b || (a && what_was_read(a) == what_was_read(b) &&
			  cfg_segment_equals(a, b));
}

static void take_over(struct segment_item *item,
		      const struct segment_check *check)
{
	struct cfg_segment *config = make_config(check);

	if (check->fails)
		segment_item_set_good(item, NULL);
	else if (!check->goes_on)
		segment_item_set_good(item, item->read);
	if (is_same(item->config, config))
		cfg_segment_unref(config);
	else
		set_config(item, config);
}

/* What it goes on as, if what its rows say now cannot be; the caller's. */
static struct cfg_segment *make_former(const struct segment_item *item)
{
	if (!item->good || item->good == item->read)
		return NULL;
	return cfg_segment_keep(item->good, item->read);
}

static void compare_all(struct db_segments *segments,
			const struct cfg_switch *config)
{
	struct segment_check *checks;
	struct cfg_segment **formers;
	struct segment_item *item;
	size_t n = 0, i = 0;

	for (item = segments->items; item; item = item->next)
		n++;
	checks = xcalloc(n, sizeof(*checks));
	formers = xcalloc(n, sizeof(*formers));
	for (item = segments->items; item; item = item->next, i++) {
		checks[i].segment = item->read;
		checks[i].before = item->config;
		checks[i].former = formers[i] = make_former(item);
	}
	config_check_segments(checks, n, config);
	for (item = segments->items, i = 0; item; item = item->next, i++) {
		take_over(item, &checks[i]);
		segment_check_fini(&checks[i]);
		cfg_segment_unref(formers[i]);
	}
	free(formers);
	free(checks);
}

/*
 * Whether what they are compared with may have changed: rows have; or one was
 * refused, which may be for the host's routes; or the bridges are others.
 */
static bool must_compare(const struct db_segments *segments,
			 const struct cfg_switch *config)
{
	const struct segment_item *item;

	for (item = segments->items; item; item = item->next)
		if (item->config != item->read ||
		    !config_segment_has_room(item->read, config))
			return true;
	return segments->changed;
}

void db_segments_compare(struct db_segments *segments,
			 const struct cfg_switch *config)
{
	if (must_compare(segments, config))
		compare_all(segments, config);
	segments->changed = false;
}
