/* The terminal of the user: see terminal.h. */
#include "vmm/host/terminal.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE ('}' & 0x1f) /* Ctrl-] */

static struct termios before;
static bool is_raw;

void terminal_restore(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	is_raw = false;
}

/* Of a signal that nobody else waits for. */
static void on_signal(int number)
{
	terminal_restore();
	signal(number, SIG_DFL);
	raise(number);
}

void terminal_raw(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	struct sigaction action;
	struct termios raw;

	if (is_raw || tcgetattr(STDIN_FILENO, &before))
		return;
	raw = before;
	cfmakeraw(&raw);
	atexit(terminal_restore);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!sigaction(numbers[i], NULL, &action) &&
		    action.sa_handler == SIG_DFL)
			signal(numbers[i], on_signal);
	is_raw = !tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

size_t terminal_filter(struct terminal_escape *escape, char *buf, size_t n,
		       bool *quit)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		bool escaped = escape->seen;

		escape->seen = !escaped && buf[i] == ESCAPE;
		if (escaped && buf[i] == 'q')
			*quit = true;
		else if (!escape->seen)
			buf[kept++] = buf[i];
	}
	return kept;
}

static bool write_all(int fd, const char *buf, size_t n)
{
	for (ssize_t done; n; buf += done, n -= (size_t)done) {
		done = write(fd, buf, n);
		if (done < 0)
			return false;
	}
	return true;
}

int terminal_attach(int fd)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = fd, .events = POLLIN } };
	struct terminal_escape escape = { 0 };
	bool quit = false;
	char buf[4096];
	ssize_t n;

	terminal_raw();
	while (!quit && poll(fds, 2, -1) > 0) {
		if (fds[1].revents) {
			n = read(fd, buf, sizeof(buf));
			if (n <= 0 || !write_all(STDOUT_FILENO, buf, (size_t)n))
				break;
		}
		if (!fds[0].revents)
			continue;
		n = read(STDIN_FILENO, buf, sizeof(buf));
		if (n <= 0) { /* nothing more is typed; go on showing */
			fds[0].fd = -1;
			continue;
		}
		n = (ssize_t)terminal_filter(&escape, buf, (size_t)n, &quit);
		if (!write_all(fd, buf, (size_t)n))
			break;
	}
	terminal_restore();
	return EXIT_SUCCESS;
}
