#include "base/address_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The next word of the list, cut where it is too long to be an address. */
static bool next_word(const char **at, char word[NET_TEXT_MAX])
{
	static const char separators[] = ", \t\n";
	size_t n;

	*at += strspn(*at, separators);
	n = strcspn(*at, separators);
	snprintf(word, NET_TEXT_MAX, "%.*s", (int)MIN(n, NET_TEXT_MAX - 1),
		 *at);
	*at += n;
	return n;
}

static bool take_mac(struct address_list *list, const char *word)
{
	unsigned b[6];
	uint64_t mac = 0;
	int end = 0;

	if (sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2],
		   &b[3], &b[4], &b[5], &end) != 6 ||
	    end != 17 || word[end] || b[0] & 1)
		return false;
	for (int i = 0; i < 6; i++)
		mac = mac << 8 | b[i];
	list->macs[list->n] = mac;
	return mac != 0;
}

/* An address is a network of one. */
static bool take_ip(struct address_list *list, const char *word)
{
	struct net_prefix *p = &list->ips[list->n];

	if (strchr(word, '/'))
		return net_prefix_parse(p, word, 0) && net_prefix_is_network(p);
	if (!net_addr_parse(&p->addr, word, 0))
		return false;
	p->len = p->addr.version == 4 ? 32 : 128;
	return true;
}

static char *wrong_word(const char *word, bool are_ips)
{
	struct net_prefix p;

	if (are_ips && net_prefix_parse(&p, word, 0))
		return xasprintf("\"%s\" is not a network: bits behind its "
				 "length are set",
				 word);
	return are_ips ? xasprintf("\"%s\" is no IP address, no network as "
				   "10.0.0.0/24, and not the word dhcp or any",
				   word)
		       : xasprintf("\"%s\" is no address of one device, such "
				   "as 02:00:00:00:00:01, and not the word any",
				   word);
}

/* What is wrong with the list as a whole, or NULL. */
static char *wrong_list(const struct address_list *list, unsigned words)
{
	if (!words)
		return xasprintf("it names no address; \"any\" lifts the "
				 "limit");
	if (list->any && words > 1)
		return xasprintf("\"any\" and addresses contradict each other");
	if (words > ADDRESS_LIST_MAX)
		return xasprintf("it has %u addresses; at most %d are taken",
				 words, ADDRESS_LIST_MAX);
	return NULL;
}

static char *parse(struct address_list *list, const char *text, bool are_ips)
{
	char word[NET_TEXT_MAX], *why = NULL;
	unsigned words = 0;

	memset(list, 0, sizeof(*list));
	for (; next_word(&text, word); words++) {
		if (!strcmp(word, "any"))
			list->any = true;
		else if (are_ips && !strcmp(word, "dhcp"))
			list->dhcp = true;
		else if (list->n == ADDRESS_LIST_MAX)
			continue;
		else if (are_ips ? take_ip(list, word) : take_mac(list, word))
			list->n++;
		else if (!why)
			why = wrong_word(word, are_ips);
	}
	if (!why)
		why = wrong_list(list, words);
	/* The stricter of the two, where they contradict each other. */
	list->any = list->any && words == 1;
	return why;
}

char *address_list_macs(struct address_list *list, const char *text)
{
	return parse(list, text, false);
}

char *address_list_ips(struct address_list *list, const char *text)
{
	return parse(list, text, true);
}
