/*
 * vsw-vmm: runs virtual machines whose network cards are on vswd, and tells the
 * running ones what to do.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/suggest.h"
#include "vmm/host/client.h"
#include "vmm/host/keeper.h"
#include "vmm/host/options.h"
#include "vmm/host/reaper.h"
#include "vmm/host/terminal.h"

#define REMOVE_MS 3000

struct command {
	const char *name, *help; /* "ARGS\ttext" */
	/* 0: done; else it failed, and *errp is printed if it is set. */
	int (*run)(const struct command *command, char **words, bool flag,
		   char **errp);
	const char *flag;      /* the one that it may have */
	int n_words;	       /* without that; -1: any */
	bool stays;	       /* connected until the VM ends */
	const char *params[2]; /* of a request, after the VM's name */
};

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

static int run_vm(const struct command *command, char **words, bool flag,
		  char **errp)
{
	struct vm_options options = { 0 };
	struct vm_directory dir;
	int status;

	vm_config_init(&options.config);
	status = vm_options_parse(&options, words, errp);
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

static int start_vm(const struct command *command, char **words, bool detach,
		    char **errp)
{
	struct vm_config config;
	struct vm_directory dir;
	int status = vm_directory_open(&dir, *words, false, true, errp);

	if (status)
		return status;
	vm_config_init(&config);
	status = vm_directory_load(&dir, &config, errp);
	if (status)
		vm_directory_close(&dir, false);
	else
		status = keeper_run(&dir, &config, detach,
				    !strcmp(command->name, "restore"));
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

static int request(const struct command *command, char **words, bool flag,
		   char **errp)
{
	json_t *message = json_pack("{s:s}", "cmd", command->name), *result;
	FILE *stream;

	for (int i = 1; i < command->n_words; i++)
		if (add_param(message, command->params[i - 1], words[i],
			      errp)) {
			json_decref(message);
			return -EINVAL;
		}
	result = client_call(*words, message, 0, &stream, errp);
	if (!result)
		return -EIO;
	if (json_object_size(result)) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	setlinebuf(stdout);
	for (int c; command->stays && (c = getc(stream)) != EOF;)
		putchar(c); /* events */
	fclose(stream);
	json_decref(result);
	return 0;
}

static int info(const struct command *command, char **words, bool flag,
		char **errp)
{
	json_t *result = client_describe(*words, 0, errp);

	if (!result)
		return -EIO;
	json_dumpf(result, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(result);
	return 0;
}

static int list(const struct command *command, char **words, bool flag,
		char **errp)
{
	return client_list(errp);
}

static int console(const struct command *command, char **words, bool virtio,
		   char **errp)
{
	int fd = client_connect(*words, virtio ? "hvc0.sock" : "console.sock",
				errp);

	if (fd < 0)
		return fd;
	if (isatty(STDIN_FILENO))
		fprintf(stderr, "vsw-vmm: Ctrl-] q leaves the console\n");
	return terminal_attach(fd);
}

static int remove_vm(const struct command *command, char **words, bool flag,
		     char **errp)
{
	struct vm_config config;
	struct vm_directory dir;
	int error = vm_directory_open(&dir, *words, false, true, errp);
	char *why = NULL;

	if (error)
		return error;
	vm_config_init(&config);
	/* the socket says that nobody tidied up: ports may be left as well */
	if (!faccessat(dir.fd, "api.sock", F_OK, 0) &&
	    !vm_directory_load(&dir, &config, NULL))
		error = vm_remove_ports(&config, NULL, REMOVE_MS, &why);
	if (error)
		set_error(errp, error, "%s %s: %s", *words, VM_ENDING, why);
	free(why);
	vm_config_uninit(&config);
	if (!error)
		error = vm_directory_remove(&dir, errp);
	vm_directory_close(&dir, false);
	return error;
}

/* --- the table ------------------------------------------------------------ */

static int help(const struct command *command, char **words, bool flag,
		char **errp);

static const struct command commands[] = {
	{ "run",
	  "--name NAME --kernel FILE [OPTION]...\tmake a VM, or give one other "
	  "options, and run it until it ends",
	  run_vm, .n_words = -1 },
	{ "start", "[--detach] NAME\trun a VM as it was last run", start_vm,
	  .flag = "--detach", .n_words = 1 },
	{ "list", "\tall VMs and what they do", list, .n_words = 0 },
	{ "info", "NAME\ta VM, its devices and ports, as JSON", info,
	  .n_words = 1 },
	{ "console",
	  "[--virtio] NAME\tthe serial port on this terminal; Ctrl-] q leaves",
	  console, .flag = "--virtio", .n_words = 1 },
	{ "events", "NAME\twhat happens to it, a JSON object a line", request,
	  .n_words = 1, .stays = true },
	{ "pause", "NAME\tstop its processors", request, .n_words = 1 },
	{ "resume", "NAME\tlet them run again", request, .n_words = 1 },
	{ "shutdown", "NAME\tpress its power button", request, .n_words = 1 },
	{ "reset", "NAME\tstart the guest anew", request, .n_words = 1 },
	{ "kill", "NAME\tend it at once", request, .n_words = 1,
	  .stays = true },
	{ "set-link", "NAME NET up|down\ta card's cable", request, .n_words = 3,
	  .params = { "net", "up" } },
	{ "add-net",
	  "NAME BRIDGE[,KEY=VALUE...]\tadd a card, as --net of \"run\"",
	  request, .n_words = 2, .params = { "net" } },
	{ "del-net", "NAME NET\ttake a card away when the guest lets it go",
	  request, .n_words = 2, .params = { "net" } },
	{ "balloon", "NAME MIB\thow much memory the guest is to give back",
	  request, .n_words = 2, .params = { "mib" } },
	{ "save", "NAME\twrite all of it to its directory, and end it", request,
	  .n_words = 1, .stays = true },
	{ "restore", "[--detach] NAME\tgo on from what was saved", start_vm,
	  .flag = "--detach", .n_words = 1 },
	{ "rm", "NAME\tremove a VM that does not run", remove_vm,
	  .n_words = 1 },
	{ "help", "[COMMAND]\tthis, or a command's options", help,
	  .n_words = -1 },
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

static int help(const struct command *command, char **words, bool flag,
		char **errp)
{
	const struct command *about =
		*words ? find_command(*words, errp) : NULL;

	if (about) {
		printf("usage: vsw-vmm %s %.*s\n%s\n", about->name,
		       (int)strcspn(about->help, "\t"), about->help,
		       strchr(about->help, '\t') + 1);
		if (about->run == run_vm)
			vm_options_help();
		if (!strcmp(about->name, "add-net"))
			vm_net_options_help();
		return 0;
	}
	if (*words)
		return -EINVAL;
	puts("vsw-vmm: virtual machines with their network cards on vswd\n"
	     "usage: vsw-vmm COMMAND [ARG]...\n"
	     "A VM is a directory in $VSW_VMM_HOME, which by default is\n"
	     "/var/lib/vsw/vms for root and ~/.local/state/vsw/vms for others."
	     "\n\nCommands:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		help_entry("", commands[i].name, " ", commands[i].help);
	puts("\nOptions of run:");
	vm_options_help();
	return 0;
}

/* Takes the command's flag out of the words, counts them, and runs it. */
static int run_command(const struct command *command, char **words, char **errp)
{
	char *about[] = { (char *)command->name, NULL };
	bool flag = false;
	int n = 0;

	if (words[0] &&
	    (!strcmp(words[0], "--help") || !strcmp(words[0], "-h")))
		return help(command, about, false, errp);
	for (int i = 0; words[i]; i++) {
		if (command->flag && !strcmp(words[i], command->flag))
			flag = true;
		else
			words[n++] = words[i];
	}
	words[n] = NULL;
	if (command->n_words >= 0 && command->n_words != n)
		return set_error(
			errp, -EINVAL, "usage: vsw-vmm %s %.*s", command->name,
			(int)strcspn(command->help, "\t"), command->help);
	return command->run(command, words, flag, errp);
}

int main(int argc, char *argv[])
{
	static char no_command[] = "help";
	char *name = argc > 1 ? argv[1] : no_command;
	const struct command *command;
	char *error = NULL;
	int status = EXIT_FAILURE;

	log_init("vsw-vmm");
	signal(SIGPIPE, SIG_IGN); /* a VM that hangs up is told of */
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("vsw-vmm %s\n", VSW_VERSION);
		return EXIT_SUCCESS;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = no_command;
	command = find_command(name, &error);
	if (command)
		status = run_command(command, argv + MIN(argc, 2), &error);
	if (error)
		fprintf(stderr, "vsw-vmm: %s\n", error);
	free(error);
	if (fflush(stdout))
		status = EXIT_FAILURE;
	return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
