/* What tidies up after a keeper that was killed: see reaper.h. */
#include "vmm/host/reaper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "vmm/host/directory.h"
#include "vmm/host/sandbox.h"
#include "vmm/host/wiring.h"

#define TRIES 30
/* shorter than one waits for the directory's lock */
#define TRY_MS	1000
#define PAUSE_S 1

struct wiring *vm_wiring(const struct vm_config *config)
{
	const char *run_dir = getenv("VSW_RUNDIR");
	char *db = config->db ? xstrdup(config->db)
			      : xasprintf("unix:%s/db.sock",
					  run_dir ? run_dir : "/run/vsw");
	struct wiring *wiring =
		wiring_create(NULL, db, config->name, config->uuid);

	free(db);
	return wiring;
}

int vm_remove_ports(const struct vm_config *config, const char *port,
		    unsigned int timeout_ms, char **errp)
{
	struct wiring *wiring = vm_wiring(config);
	int error = wiring_remove(wiring, port, timeout_ms, errp);

	wiring_destroy(wiring);
	return error;
}

/* As it now is: cards come and go. */
static bool has_cards(const struct vm_directory *dir)
{
	struct vm_config now;
	bool has;

	vm_config_init(&now);
	has = vm_directory_load(dir, &now, NULL) || now.n_nets;
	vm_config_uninit(&now);
	return has;
}

/* True: done, or another one takes care. */
static bool tidy(const struct vm_config *config)
{
	struct vm_directory dir;
	bool done;
	int error;

	error = vm_directory_open(&dir, config->name, false, true, NULL);
	if (error)
		return true;
	vm_directory_set_ending(&dir);
	if (!faccessat(dir.fd, "vm.json", F_OK, 0))
		vm_directory_set_ended(&dir, false, "vsw-vmm was killed");
	done = !vm_remove_ports(config, NULL, TRY_MS, NULL) || !has_cards(&dir);
	if (done) {
		vm_directory_clean(&dir);
		/* it was killed before the VM ever started */
		dir.made = faccessat(dir.fd, "vm.json", F_OK, 0) != 0;
	}
	vm_directory_close(&dir, done);
	return done;
}

int reaper_start(const struct vm_config *config, char **errp)
{
	int fds[2], null;
	pid_t pid;
	char told;

	if (pipe2(fds, O_CLOEXEC))
		return set_error(errp, -errno, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return set_error(errp, -errno, "fork: %s", strerror(errno));
	}
	if (pid) {
		close(fds[0]);
		return fds[1];
	}
	/* Not in the terminal's group, and holding nothing of the keeper's. */
	setsid();
	prctl(PR_SET_NAME, "vsw-vmm-reaper");
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	dup2(fds[0], 3);
	close_range(4, ~0U, 0);
	vm_sandbox_keep_files();
	if (read(3, &told, 1) != 1)
		for (int i = 0; i < TRIES && !tidy(config); i++)
			sleep(PAUSE_S);
	_exit(EXIT_SUCCESS);
}

void reaper_dismiss(int fd)
{
	ssize_t ignored = write(fd, "", 1);

	(void)ignored;
	close(fd);
}
