/*
 * vsw-vmm: runs virtual machines whose network cards are on vswd, and tells the
 * running ones what to do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/suggest.h"
#include "vmm/host/client.h"
#include "vmm/host/help.h"
#include "vmm/host/keeper.h"
#include "vmm/host/options.h"
#include "vmm/host/reaper.h"
#include "vmm/host/terminal.h"

#define REMOVE_MS 3000

/* Words after a command's name; argv[0] is the first. */
struct words {
	int argc;
	char **argv;
};

struct command {
	const char *name, *args, *help;
	/* 0: done; else an exit status, printed with *errp if that is set */
	int (*run)(const struct command *command, struct words words,
		   char **errp);
	/* of a request: what the words after the VM's name are called */
	const char *params[2];
};

static bool take_flag(struct words *words, const char *flag)
{
	for (int i = 0; i < words->argc; i++) {
		if (strcmp(words->argv[i], flag))
			continue;
		words->argc--;
		memmove(&words->argv[i], &words->argv[i + 1],
			(size_t)(words->argc - i) * sizeof(*words->argv));
		return true;
	}
	return false;
}

static int check_words(const struct command *command, struct words words, int n,
		       char **errp)
{
	if (words.argc == n)
		return 0;
	return set_error(errp, -EINVAL, "usage: vsw-vmm %s %s", command->name,
			 command->args);
}

/* --- run, start, restore -------------------------------------------------- */

/* What a VM of this name had is its own: the uuid, and addresses of cards. */
static void keep_identity(const struct vm_directory *dir,
			  struct vm_config *config)
{
	struct vm_config old;

	vm_config_init(&old);
	if (!vm_directory_load(dir, &old, NULL)) {
		strcpy(config->uuid, old.uuid);
		for (unsigned int i = 0; i < config->n_nets; i++)
			for (unsigned int j = 0; j < old.n_nets; j++)
				if (!config->nets[i].mac_given &&
				    !strcmp(config->nets[i].id, old.nets[j].id))
					memcpy(config->nets[i].mac,
					       old.nets[j].mac, 6);
	}
	vm_config_uninit(&old);
}

static int run_vm(const struct command *command, struct words words,
		  char **errp)
{
	struct vm_options options = { 0 };
	struct vm_directory dir;
	int status;

	vm_config_init(&options.config);
	status = vm_options_parse(&options, words.argc, words.argv, errp);
	if (!status)
		status = vm_directory_open(&dir, options.config.name, true,
					   true, errp);
	if (!status) {
		keep_identity(&dir, &options.config);
		status = keeper_run(&dir, &options.config, options.detach,
				    false);
	}
	vm_config_uninit(&options.config);
	return status;
}

static int start_vm(const struct command *command, struct words words,
		    char **errp)
{
	bool detach = take_flag(&words, "--detach"),
	     restore = !strcmp(command->name, "restore");
	struct vm_config config;
	struct vm_directory dir;
	int status;

	if (check_words(command, words, 1, errp) ||
	    vm_directory_open(&dir, words.argv[0], false, true, errp))
		return EXIT_FAILURE;
	vm_config_init(&config);
	status = vm_directory_load(&dir, &config, errp);
	if (status)
		vm_directory_close(&dir, false);
	else
		status = keeper_run(&dir, &config, detach, restore);
	vm_config_uninit(&config);
	return status;
}

/* --- requests ------------------------------------------------------------- */

static int add_param(json_t *request, const char *name, const char *word,
		     char **errp)
{
	char *end;
	long n;

	if (!strcmp(name, "up")) {
		if (strcmp(word, "up") && strcmp(word, "down"))
			return set_error(errp, -EINVAL,
					 "\"%s\" is neither up nor down", word);
		return json_object_set_new(request, name,
					   json_boolean(*word == 'u'));
	}
	if (strcmp(name, "mib"))
		return json_object_set_new(request, name, json_string(word));
	n = strtol(word, &end, 10);
	if (end == word || *end || n < 0)
		return set_error(errp, -EINVAL, "\"%s\" is no number of MiB",
				 word);
	return json_object_set_new(request, name, json_integer(n));
}

static int request(const struct command *command, struct words words,
		   char **errp)
{
	json_t *message = json_pack("{s:s}", "cmd", command->name), *result;
	int n = 1;

	for (; n <= 2 && command->params[n - 1]; n++)
		;
	if (check_words(command, words, n, errp))
		return EXIT_FAILURE;
	for (int i = 1; i < n; i++)
		if (add_param(message, command->params[i - 1], words.argv[i],
			      errp))
			return EXIT_FAILURE;
	result = client_call(words.argv[0], message, 0, NULL, errp);
	if (result && json_object_size(result)) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(result);
	return result ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int list(const struct command *command, struct words words, char **errp)
{
	bool as_json = take_flag(&words, "--json");

	return check_words(command, words, 0, errp) ||
	       client_list(as_json, errp);
}

static int events(const struct command *command, struct words words,
		  char **errp)
{
	return check_words(command, words, 1, errp) ||
	       client_events(words.argv[0], errp);
}

static int console(const struct command *command, struct words words,
		   char **errp)
{
	bool virtio = take_flag(&words, "--virtio");
	int fd;

	if (check_words(command, words, 1, errp))
		return EXIT_FAILURE;
	fd = client_connect(words.argv[0],
			    virtio ? "hvc0.sock" : "console.sock", errp);
	return fd < 0 ? EXIT_FAILURE : terminal_attach(fd);
}

static int remove_vm(const struct command *command, struct words words,
		     char **errp)
{
	bool all = take_flag(&words, "--all");
	struct vm_config config;
	struct vm_directory dir;
	int error;

	if (check_words(command, words, 1, errp) ||
	    vm_directory_open(&dir, words.argv[0], false, true, errp))
		return EXIT_FAILURE;
	vm_config_init(&config);
	/* the sockets say that nobody tidied up: ports may be left as well */
	error = faccessat(dir.fd, "api.sock", F_OK, 0) ||
				vm_directory_load(&dir, &config, NULL)
			? 0
			: reaper_remove_ports(&config, REMOVE_MS, errp);
	vm_config_uninit(&config);
	if (!error)
		error = vm_directory_remove(&dir, all, errp);
	vm_directory_close(&dir, false);
	return error;
}

/* --- the table ------------------------------------------------------------ */

static int help(const struct command *command, struct words words, char **errp);

static const struct command commands[] = {
	{ "run",
	  "--name NAME --kernel FILE [OPTION]...",
	  "make a VM, or give one other options, and run it until it ends",
	  run_vm,
	  { NULL } },
	{ "start",
	  "[--detach] NAME",
	  "run a VM as it was last run",
	  start_vm,
	  { NULL } },
	{ "list", "[--json]", "all VMs and what they do", list, { NULL } },
	{ "info",
	  "NAME",
	  "one VM, its devices and ports, as JSON",
	  request,
	  { NULL } },
	{ "console",
	  "[--virtio] NAME",
	  "the serial port on this terminal; Ctrl-] q leaves it",
	  console,
	  { NULL } },
	{ "events",
	  "NAME",
	  "what happens to it, a JSON object a line",
	  events,
	  { NULL } },
	{ "pause", "NAME", "stop its processors", request, { NULL } },
	{ "resume", "NAME", "let them run again", request, { NULL } },
	{ "shutdown", "NAME", "press its power button", request, { NULL } },
	{ "reset", "NAME", "start the guest anew", request, { NULL } },
	{ "kill", "NAME", "end it at once", request, { NULL } },
	{ "set-link",
	  "NAME NET up|down",
	  "a card's cable",
	  request,
	  { "net", "up" } },
	{ "add-net",
	  "NAME BRIDGE[,KEY=VALUE...]",
	  "add a card, as --net of \"run\"",
	  request,
	  { "net" } },
	{ "del-net",
	  "NAME NET",
	  "take a card away when the guest lets it go",
	  request,
	  { "net" } },
	{ "balloon",
	  "NAME MIB",
	  "how much memory the guest is to give back",
	  request,
	  { "mib" } },
	{ "save",
	  "NAME",
	  "write all of it to its directory, and end it",
	  request,
	  { NULL } },
	{ "restore",
	  "[--detach] NAME",
	  "go on from what was saved",
	  start_vm,
	  { NULL } },
	{ "rm",
	  "[--all] NAME",
	  "remove a VM that does not run; with --all, disks in its directory, "
	  "too",
	  remove_vm,
	  { NULL } },
	{ "help", "[COMMAND]", "this, or a command's options", help, { NULL } },
};

static const struct command *find_command(const char *name, char **errp)
{
	struct suggestion near;
	char phrase[128];

	suggestion_init(&near, name);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
		suggestion_offer(&near, commands[i].name);
	}
	set_error(errp, -EINVAL,
		  "there is no command \"%s\"%s (\"vsw-vmm help\" lists them)",
		  name, suggestion_phrase(&near, phrase, sizeof(phrase)));
	return NULL;
}

static int help(const struct command *command, struct words words, char **errp)
{
	const struct command *about =
		words.argc ? find_command(words.argv[0], errp) : NULL;

	if (about) {
		printf("usage: vsw-vmm %s %s\n%s\n", about->name, about->args,
		       about->help);
		if (!strcmp(about->name, "run") ||
		    !strcmp(about->name, "add-net"))
			vm_options_help();
		return EXIT_SUCCESS;
	}
	if (words.argc)
		return EXIT_FAILURE;
	puts("vsw-vmm: virtual machines with their network cards on vswd\n"
	     "usage: vsw-vmm COMMAND [ARG]...\n"
	     "A VM is a directory in $VSW_VMM_HOME, which by default is\n"
	     "/var/lib/vsw/vms for root and ~/.local/state/vsw/vms for others."
	     "\n\nCommands:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		help_entry("", commands[i].name, " ", commands[i].args,
			   commands[i].help);
	puts("\nOptions of run:");
	vm_options_help();
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	const char *name = argc > 1 ? argv[1] : "help";
	const struct command *command;
	char *error = NULL;
	int status;

	log_init("vsw-vmm");
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("vsw-vmm %s\n", VSW_VERSION);
		return EXIT_SUCCESS;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	command = find_command(name, &error);
	status = command ? command->run(
				   command,
				   (struct words){ MAX(argc - 2, 0), argv + 2 },
				   &error)
			 : EXIT_FAILURE;
	if (error)
		fprintf(stderr, "vsw-vmm: %s\n", error);
	free(error);
	if (fflush(stdout))
		status = EXIT_FAILURE;
	return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
