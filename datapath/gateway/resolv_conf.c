/* resolv.conf(5); see resolv_conf.h. */
#include "gateway/resolv_conf.h"

#include <arpa/inet.h>
#include <ctype.h>

#define DNS_PORT 53
#define WORD_MAX 64

/* The next word of a line; NULL: no more, or one that is too long. */
static bool next_word(const char **at, const char *end, char word[WORD_MAX])
{
	const char *start;
	size_t n;

	while (*at < end && isspace((unsigned char)**at))
		(*at)++;
	start = *at;
	while (*at < end && !isspace((unsigned char)**at))
		(*at)++;
	n = *at - start;
	if (!n || n >= WORD_MAX)
		return false;
	memcpy(word, start, n);
	word[n] = '\0';
	return true;
}

static bool parse_server(char *word, struct resolver *server)
{
	char *scope = strchr(word, '%');

	memset(server, 0, sizeof(*server));
	server->port = DNS_PORT;
	if (scope) {
		*scope++ = '\0';
		if (strlen(scope) >= sizeof(server->scope))
			return false;
		strcpy(server->scope, scope);
	}
	if (inet_pton(AF_INET, word, server->ip.bytes) == 1)
		server->ip.len = 4;
	else if (inet_pton(AF_INET6, word, server->ip.bytes) == 1)
		server->ip.len = 16;
	return server->ip.len;
}

unsigned resolv_conf_parse(const char *text, size_t len,
			   struct resolver servers[RESOLV_SERVERS_MAX])
{
	const char *end = text + len;
	unsigned n = 0;

	while (text < end && n < RESOLV_SERVERS_MAX) {
		const char *line_end = memchr(text, '\n', end - text);
		char word[WORD_MAX];
		bool twice = false;

		if (!line_end)
			line_end = end;
		if (next_word(&text, line_end, word) &&
		    !strcmp(word, "nameserver") &&
		    next_word(&text, line_end, word) &&
		    parse_server(word, &servers[n])) {
			for (unsigned i = 0; i < n; i++)
				twice |= ip_address_equal(&servers[i].ip,
							  &servers[n].ip) &&
					 !strcmp(servers[i].scope,
						 servers[n].scope);
			n += !twice;
		}
		text = line_end + (line_end < end);
	}
	return n;
}
