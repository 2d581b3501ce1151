/* UUIDs: random ones, and their text form. */
#include "ovsdb-lite/uuid.h"

#include <stddef.h>
#include <sys/types.h>
#include <sys/random.h>

#include "ovsdb-lite/hash.h"

/* Random bytes are fetched for many UUIDs at a time. */
static __thread struct {
	struct uuid pool[64];
	size_t left;
} generator;

static void refill(void)
{
	char *p = (char *)generator.pool;
	size_t done = 0;

	while (done < sizeof(generator.pool)) {
		ssize_t n =
			getrandom(p + done, sizeof(generator.pool) - done, 0);

		if (n > 0)
			done += (size_t)n;
		else
			/* Only EINTR is possible, at the system's boot. */
			continue;
	}
	generator.left = sizeof(generator.pool) / sizeof(struct uuid);
}

void uuid_generate(struct uuid *uuid)
{
	if (!generator.left)
		refill();
	*uuid = generator.pool[--generator.left];
	uuid->hi = (uuid->hi & ~0xf000ull) | 0x4000;
	uuid->lo = (uuid->lo & ~(3ull << 62)) | 2ull << 62;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uuid_from_string(struct uuid *uuid, const char *text)
{
	uint64_t words[2] = { 0, 0 };
	int digits = 0;

	*uuid = (struct uuid){ 0, 0 };
	for (int i = 0; i < UUID_LEN; i++) {
		int digit;

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return false;
			continue;
		}
		digit = hex_digit(text[i]);
		if (digit < 0)
			return false;
		words[digits / 16] = words[digits / 16] << 4 | (uint64_t)digit;
		digits++;
	}
	if (text[UUID_LEN])
		return false;
	*uuid = (struct uuid){ words[0], words[1] };
	return true;
}

char *uuid_format(const struct uuid *uuid, char buf[UUID_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	char *p = buf;

	for (int i = 0; i < 32; i++) {
		uint64_t word = i < 16 ? uuid->hi : uuid->lo;

		if (i == 8 || i == 12 || i == 16 || i == 20)
			*p++ = '-';
		*p++ = hex[word >> (60 - 4 * (i & 15)) & 15];
	}
	*p = '\0';
	return buf;
}

uint32_t uuid_hash(const struct uuid *uuid)
{
	return hash_add(hash_add(0, uuid->hi), uuid->lo);
}
