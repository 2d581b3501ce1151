/* What a C library would bring, and the arguments of the order that runs. */
#include "guest.h"

void *memcpy(void *to, const void *from, size_t n)
{
	void *result = to;

	__asm__ volatile("rep movsb"
			 : "+D"(to), "+S"(from), "+c"(n)
			 :
			 : "memory");
	return result;
}

void *memset(void *to, int value, size_t n)
{
	void *result = to;

	__asm__ volatile("rep stosb"
			 : "+D"(to), "+c"(n)
			 : "a"(value)
			 : "memory");
	return result;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	for (; n; n--, p++, q++) {
		if (*p != *q)
			return *p < *q ? -1 : 1;
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

bool starts_with(const char *text, const char *start)
{
	while (*start) {
		if (*text++ != *start++)
			return false;
	}
	return true;
}

void *allocate(size_t size, size_t align)
{
	static uint64_t next = 4 << 20;
	void *result;

	next = (next + align - 1) / align * align;
	result = (void *)next;
	next += size;
	CHECK(next < 24 << 20, "out of memory");
	memset(result, 0, size);
	return result;
}

static void print_number(uint64_t value, unsigned int base, unsigned int width,
			 char pad)
{
	char digits[24];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n < width && n < sizeof(digits))
		digits[n++] = pad;
	while (n)
		serial_putc(digits[--n]);
}

static void vprint(const char *f, va_list args)
{
	for (; *f; f++) {
		unsigned int width = 0;
		bool is_long = false;
		char pad = ' ';

		if (*f != '%') {
			serial_putc(*f);
			continue;
		}
		f++;
		if (*f == '0')
			pad = '0';
		for (; *f >= '0' && *f <= '9'; f++)
			width = width * 10 + *f - '0';
		for (; *f == 'l'; f++)
			is_long = true;
		if (*f == 's') {
			const char *s = va_arg(args, const char *);

			while (*s)
				serial_putc(*s++);
		} else if (*f == 'c') {
			serial_putc(va_arg(args, int));
		} else {
			print_number(is_long ? va_arg(args, uint64_t)
					     : va_arg(args, uint32_t),
				     *f == 'x' ? 16 : 10, width, pad);
		}
	}
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprint(format, args);
	va_end(args);
}

uint64_t parse_number(const char *text)
{
	uint64_t value = 0;
	unsigned int base = 10;

	if (starts_with(text, "0x")) {
		base = 16;
		text += 2;
	}
	for (;; text++) {
		unsigned int digit;

		if (*text >= '0' && *text <= '9')
			digit = *text - '0';
		else if (base == 16 && *text >= 'a' && *text <= 'f')
			digit = *text - 'a' + 10;
		else
			return value;
		value = value * base + digit;
	}
}

/* The order: name NUL key=value NUL flag NUL NUL. */
static char order_text[256];

const char *order_begin(const char *text, size_t length);

const char *order_begin(const char *text, size_t length)
{
	if (length > sizeof(order_text) - 2)
		length = sizeof(order_text) - 2;
	memset(order_text, 0, sizeof(order_text));
	memcpy(order_text, text, length);
	for (size_t i = 0; i < length; i++) {
		if (order_text[i] == ',')
			order_text[i] = '\0';
	}
	return order_text;
}

const char *argument(const char *key)
{
	const char *at = order_text;

	while (*at) {
		at += strlen(at) + 1;
		if (starts_with(at, key)) {
			const char *value = at + strlen(key);

			if (*value == '=')
				return value + 1;
			if (!*value)
				return value;
		}
	}
	return NULL;
}

uint64_t number_argument(const char *key, uint64_t otherwise)
{
	const char *value = argument(key);

	return value ? parse_number(value) : otherwise;
}

void fail(const char *format, ...)
{
	va_list args;

	print("\nFAIL %s: ", order_text);
	va_start(args, format);
	vprint(format, args);
	va_end(args);
	print("\n");
	power_off();
}
