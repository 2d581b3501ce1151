/* Tables for reading: cells as text and as JSON, printed in five formats. */
#include "ctl/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cell {
	char *text;
	json_t *json;
};

struct table {
	char **headings;
	size_t n_columns;
	struct cell *cells; /* n_rows times n_columns */
	size_t n_cells, allocated;
	size_t n_rows;
};

static const char *const format_names[] = {
	[TABLE_TABLE] = "table", [TABLE_LIST] = "list", [TABLE_CSV] = "csv",
	[TABLE_HTML] = "html",	 [TABLE_JSON] = "json",
};

static const char *const data_names[] = {
	[TABLE_DATA_STRING] = "string",
	[TABLE_DATA_BARE] = "bare",
	[TABLE_DATA_JSON] = "json",
};

void table_style_init(struct table_style *style)
{
	*style = (struct table_style){ .format = TABLE_LIST,
				       .data = TABLE_DATA_STRING,
				       .headings = true };
}

static int find_name(const char *const names[], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

int table_format_parse(const char *name, enum table_format *format, char **errp)
{
	int i = find_name(format_names, ARRAY_SIZE(format_names), name);

	if (i < 0)
		return set_error(errp, -EINVAL,
				 "unknown output format \"%s\": --format takes "
				 "table, list, csv, html or json",
				 name);
	*format = i;
	return 0;
}

int table_data_parse(const char *name, enum table_data *data, char **errp)
{
	int i = find_name(data_names, ARRAY_SIZE(data_names), name);

	if (i < 0)
		return set_error(errp, -EINVAL,
				 "unknown data format \"%s\": --data takes "
				 "string, bare or json",
				 name);
	*data = i;
	return 0;
}

struct table *table_create(void)
{
	return xcalloc(1, sizeof(struct table));
}

void table_destroy(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_columns; i++)
		free(table->headings[i]);
	for (size_t i = 0; i < table->n_cells; i++) {
		free(table->cells[i].text);
		json_decref(table->cells[i].json);
	}
	free(table->headings);
	free(table->cells);
	free(table);
}

void table_add_column(struct table *table, const char *heading)
{
	table->headings =
		xrealloc(table->headings,
			 (table->n_columns + 1) * sizeof(*table->headings));
	table->headings[table->n_columns++] = xstrdup(heading);
}

void table_add_row(struct table *table)
{
	table->n_rows++;
}

void table_add_cell(struct table *table, char *text, json_t *json)
{
	if (table->n_cells == table->allocated) {
		table->allocated = MAX(table->allocated * 2, 64u);
		table->cells = xrealloc(
			table->cells, table->allocated * sizeof(*table->cells));
	}
	table->cells[table->n_cells++] = (struct cell){ text, json };
}

static const struct cell *cell_at(const struct table *table, size_t row,
				  size_t column)
{
	return &table->cells[row * table->n_columns + column];
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static unsigned int text_width(const char *s)
{
	unsigned int width = 0;

	for (; *s; s++)
		width += ((unsigned char)*s & 0xc0) != 0x80;
	return width;
}

/* Prints at most max characters, then blanks up to width. */
static void print_padded(const char *s, unsigned int max, unsigned int width,
			 FILE *stream)
{
	unsigned int n = 0;

	for (; *s; s++) {
		bool starts = ((unsigned char)*s & 0xc0) != 0x80;

		if (starts && n == max)
			break;
		n += starts;
		putc(*s, stream);
	}
	for (; n < width; n++)
		putc(' ', stream);
}

static void print_table_line(const struct table *t, const unsigned int *widths,
			     const struct cell *cells, FILE *stream)
{
	for (size_t c = 0; c < t->n_columns; c++) {
		bool last = c == t->n_columns - 1;

		if (c)
			putc(' ', stream);
		print_padded(cells ? cells[c].text : t->headings[c], widths[c],
			     last ? 0 : widths[c], stream);
	}
	putc('\n', stream);
}

static void print_table(const struct table *t, const struct table_style *style,
			FILE *stream)
{
	unsigned int *widths = xcalloc(t->n_columns, sizeof(*widths));

	for (size_t c = 0; c < t->n_columns; c++) {
		for (size_t r = 0; r < t->n_rows; r++) {
			unsigned int w = text_width(cell_at(t, r, c)->text);

			if (style->max_width)
				w = MIN(w, style->max_width);
			widths[c] = MAX(widths[c], w);
		}
		if (style->headings)
			widths[c] = MAX(widths[c], text_width(t->headings[c]));
	}
	if (style->headings) {
		print_table_line(t, widths, NULL, stream);
		for (size_t c = 0; c < t->n_columns; c++) {
			if (c)
				putc(' ', stream);
			for (unsigned int i = 0; i < widths[c]; i++)
				putc('-', stream);
		}
		putc('\n', stream);
	}
	for (size_t r = 0; r < t->n_rows; r++)
		print_table_line(t, widths, cell_at(t, r, 0), stream);
	free(widths);
}

static void print_list(const struct table *t, const struct table_style *style,
		       FILE *stream)
{
	for (size_t r = 0; r < t->n_rows; r++) {
		if (r)
			putc('\n', stream);
		for (size_t c = 0; c < t->n_columns; c++) {
			if (style->headings) {
				print_padded(t->headings[c], UINT32_MAX, 20,
					     stream);
				fputs(": ", stream);
			}
			fprintf(stream, "%s\n", cell_at(t, r, c)->text);
		}
	}
}

/* RFC 4180. */
static void print_csv_field(const char *s, FILE *stream)
{
	if (!strpbrk(s, "\",\n\r")) {
		fputs(s, stream);
		return;
	}
	putc('"', stream);
	for (; *s; s++) {
		if (*s == '"')
			putc('"', stream);
		putc(*s, stream);
	}
	putc('"', stream);
}

static void print_csv(const struct table *t, const struct table_style *style,
		      FILE *stream)
{
	for (size_t c = 0; style->headings && c < t->n_columns; c++) {
		if (c)
			putc(',', stream);
		print_csv_field(t->headings[c], stream);
	}
	if (style->headings)
		putc('\n', stream);
	for (size_t r = 0; r < t->n_rows; r++) {
		for (size_t c = 0; c < t->n_columns; c++) {
			if (c)
				putc(',', stream);
			print_csv_field(cell_at(t, r, c)->text, stream);
		}
		putc('\n', stream);
	}
}

static void print_html_cell(const char *element, const char *s, FILE *stream)
{
	fprintf(stream, "    <%s>", element);
	for (; *s; s++) {
		switch (*s) {
		case '&':
			fputs("&amp;", stream);
			break;
		case '<':
			fputs("&lt;", stream);
			break;
		case '>':
			fputs("&gt;", stream);
			break;
		case '"':
			fputs("&quot;", stream);
			break;
		default:
			putc(*s, stream);
		}
	}
	fprintf(stream, "</%s>\n", element);
}

static void print_html(const struct table *t, const struct table_style *style,
		       FILE *stream)
{
	fputs("<table border=1>\n", stream);
	if (style->headings) {
		fputs("  <tr>\n", stream);
		for (size_t c = 0; c < t->n_columns; c++)
			print_html_cell("th", t->headings[c], stream);
		fputs("  </tr>\n", stream);
	}
	for (size_t r = 0; r < t->n_rows; r++) {
		fputs("  <tr>\n", stream);
		for (size_t c = 0; c < t->n_columns; c++)
			print_html_cell("td", cell_at(t, r, c)->text, stream);
		fputs("  </tr>\n", stream);
	}
	fputs("</table>\n", stream);
}

void json_print(const json_t *json, bool pretty, FILE *stream)
{
	json_dumpf(json, stream,
		   JSON_ENCODE_ANY | JSON_SORT_KEYS |
			   (pretty ? JSON_INDENT(2) : JSON_COMPACT));
	putc('\n', stream);
}

static void print_json(const struct table *t, const struct table_style *style,
		       FILE *stream)
{
	json_t *headings = json_array(), *data = json_array(), *top;

	for (size_t c = 0; c < t->n_columns; c++)
		json_array_append_new(headings, json_string(t->headings[c]));
	for (size_t r = 0; r < t->n_rows; r++) {
		json_t *row = json_array();

		for (size_t c = 0; c < t->n_columns; c++)
			json_array_append(row, cell_at(t, r, c)->json);
		json_array_append_new(data, row);
	}
	top = json_pack("{s:o, s:o}", "data", data, "headings", headings);
	json_print(top, style->pretty, stream);
	json_decref(top);
}

void table_print(const struct table *table, const struct table_style *style,
		 bool *first, FILE *stream)
{
	/* A list without rows prints nothing, not even the blank line. */
	if (style->format == TABLE_LIST && !table->n_rows)
		return;
	if (!*first && style->format != TABLE_JSON)
		putc('\n', stream);
	*first = false;
	switch (style->format) {
	case TABLE_TABLE:
		print_table(table, style, stream);
		break;
	case TABLE_LIST:
		print_list(table, style, stream);
		break;
	case TABLE_CSV:
		print_csv(table, style, stream);
		break;
	case TABLE_HTML:
		print_html(table, style, stream);
		break;
	case TABLE_JSON:
		print_json(table, style, stream);
		break;
	}
}
