/* Help in two columns. */
#include "vmm/host/help.h"

#include <stdio.h>
#include <string.h>

#define COLUMN 34
#define WIDTH  80

void help_entry(const char *dashes, const char *name, const char *sep,
		const char *args, const char *text)
{
	int at = printf("  %s%s%s%s", *dashes || *sep != '=' ? "" : "    ",
			dashes, name, *args ? sep : "");

	at += printf("%s", args);
	if (at >= COLUMN) {
		putchar('\n');
		at = 0;
	}
	at += printf("%*s", COLUMN - at, "");
	while (*text) {
		int n = (int)strcspn(text, " ");

		if (at > COLUMN && at + 1 + n > WIDTH)
			at = printf("\n%*s", COLUMN, "") - 1;
		at += printf("%s%.*s", at > COLUMN ? " " : "", n, text);
		text += n;
		text += strspn(text, " ");
	}
	putchar('\n');
}
