/*
 * A VM's configuration as a user's file or command line has it: the first byte
 * says which. What is taken is written, and must be read again as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/host/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct vm_config *config)
{
	json_t *json = vm_config_to_json(config), *json_again;
	struct vm_config again;

	vm_config_init(&again);
	if (vm_config_from_json(&again, json, NULL))
		abort();
	json_again = vm_config_to_json(&again);
	if (!json_equal(json, json_again))
		abort();
	json_decref(json);
	json_decref(json_again);
	vm_config_uninit(&again);
}

static void try_json(const char *text, size_t n)
{
	json_t *json = json_loadb(text, n, 0, NULL);
	struct vm_config config;

	vm_config_init(&config);
	if (!vm_config_from_json(&config, json, NULL))
		check_again(&config);
	vm_config_uninit(&config);
	json_decref(json);
}

/* Texts that no JSON can hold do not come by vm.json. */
static bool is_text(const char *text)
{
	json_t *json = json_string(text);

	json_decref(json);
	return json;
}

static void try_words(char *text)
{
	struct vm_options options = { 0 };
	char *words[64], *next = text;
	size_t n = 0;

	while (n < ARRAY_SIZE(words) - 1 && (words[n] = strsep(&next, " ")))
		n++;
	words[n] = NULL;
	vm_config_init(&options.config);
	if (!vm_options_parse(&options, words, NULL))
		check_again(&options.config);
	vm_config_uninit(&options.config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = xcalloc(1, size);
	memcpy(text, data + 1, size - 1);
	if (data[0] % 2)
		try_json(text, size - 1);
	else if (is_text(text))
		try_words(text);
	free(text);
	return 0;
}
