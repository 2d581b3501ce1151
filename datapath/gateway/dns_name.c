/* Domain names; see dns_name.h. */
#include "gateway/dns_name.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool dns_name_read(struct reader *r, struct dns_name *name)
{
	unsigned n = 0;
	uint8_t label;

	name->len = 0;
	do {
		const uint8_t *at;

		label = reader_u8(r);
		/* a pointer of compression is greater, too */
		if (r->failed || label > DNS_LABEL_MAX ||
		    n + 1 + label > DNS_NAME_MAX)
			return false;
		at = reader_take(r, label);
		if (!at)
			return false;
		name->wire[n++] = label;
		memcpy(name->wire + n, at, label);
		n += label;
	} while (label);
	name->len = n;
	return true;
}

bool dns_name_from_text(const char *text, struct dns_name *name)
{
	unsigned n = 0;

	name->len = 0;
	while (*text) {
		size_t label = strcspn(text, ".");

		if (!label || label > DNS_LABEL_MAX ||
		    n + 1 + label + 1 > DNS_NAME_MAX)
			return false;
		name->wire[n++] = label;
		memcpy(name->wire + n, text, label);
		n += label;
		text += label;
		if (*text == '.')
			text++;
	}
	name->wire[n++] = 0;
	name->len = n;
	return true;
}

/* Lengths are below every letter, so they may be treated as text. */
static bool same(const uint8_t *a, const uint8_t *b, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && same(a->wire, b->wire, a->len);
}

int dns_name_under(const struct dns_name *name, const struct dns_name *suffix)
{
	unsigned at = 0;
	int labels = 0;

	while (name->len - at > suffix->len) {
		at += 1 + name->wire[at];
		labels++;
	}
	if (name->len - at != suffix->len ||
	    !same(name->wire + at, suffix->wire, suffix->len))
		return -1;
	return labels;
}

bool dns_name_label(const struct dns_name *name, char label[DNS_LABEL_MAX + 1])
{
	unsigned n = name->len ? name->wire[0] : 0;

	for (unsigned i = 0; i < n; i++) {
		uint8_t c = lower(name->wire[1 + i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_')
			return false;
		label[i] = c;
	}
	label[n] = '\0';
	return n;
}
