/*
 * A machine in a process of its own, told what to do over the link. Its guest
 * is a few bytes of code: an ELF with a PVH note that is made here. Without
 * /dev/kvm there is nothing to test.
 */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/machine/machine.h"

enum { CODE = 0x100000, PVH_ENTRY = 18 };

/* Writes to the boot timer and halts for ever. */
static const uint8_t halting[] = { 0xa2, 0x00, 0x00, 0xb0,
				   0xfe, 0xf4, 0xeb, 0xfd };
/* Writes S5 to the power management's control register. */
static const uint8_t ending[] = { 0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00,
				  0x34, 0x66, 0xef, 0xf4, 0xeb, 0xfd };
/* There is no table of interrupts: a triple fault. */
static const uint8_t faulting[] = { 0x0f, 0x0b };

/* Writes to the boot timer and to the panic device for ever. */
static const uint8_t panicking[] = { 0x66, 0xba, 0x05, 0x05, 0xb0, 0x01, 0xa2,
				     0x00, 0x00, 0xb0, 0xfe, 0xee, 0xeb, 0xf8 };
/*
 * At first, which a word at 0x2000 tells: puts code for other CPUs to 0x1000,
 * starts them there (INIT, SIPI) and resets the machine. Then only writes to
 * the boot timer and halts. The other CPUs write to the panic device for ever.
 */
static const uint8_t starting[] = {
	0x80, 0x3d, 0x00, 0x20, 0x00, 0x00, 0x00, /* cmpb $0, 0x2000 */
	0x75, 0x38,				  /* jne to the timer */
	0xc6, 0x05, 0x00, 0x20, 0x00, 0x00, 0x01, /* movb $1, 0x2000 */
	0xc7, 0x05, 0x00, 0x10, 0x00, 0x00, 0xba, 0x05, 0x05, 0xb0,
	0xc7, 0x05, 0x04, 0x10, 0x00, 0x00, 0x01, 0xee, 0xeb, 0xfd,
	0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x00, 0x45, 0x0c, 0x00,
	0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x01, 0x46, 0x0c, 0x00,
	0x66, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee, 0xeb, 0xfd, /* reset */
	0xa2, 0x00, 0x00, 0xb0, 0xfe, 0xf4, 0xeb, 0xfd,
};
/* The same, over and over, by all CPUs at once. */
static const uint8_t resetting[] = {
	0xc7, 0x05, 0x00, 0x10, 0x00, 0x00, 0xba, 0xf9, 0x0c, 0xb0,
	0xc7, 0x05, 0x04, 0x10, 0x00, 0x00, 0x06, 0xee, 0xeb, 0xfd,
	0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x00, 0x45, 0x0c, 0x00,
	0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x01, 0x46, 0x0c, 0x00,
	0x66, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee, 0xeb, 0xfd,
};

struct machine_process {
	pid_t pid;
	int link;
};

static int kernel_of(const uint8_t *code, size_t length)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr load, note;
		Elf64_Nhdr note_header;
		char name[4];
		uint32_t entry, padding;
		uint8_t code[96];
	} file = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64,
					 ELFDATA2LSB, EV_CURRENT },
			    .e_type = ET_EXEC,
			    .e_machine = EM_X86_64,
			    .e_version = EV_CURRENT,
			    .e_entry = CODE,
			    .e_phoff = sizeof(Elf64_Ehdr),
			    .e_ehsize = sizeof(Elf64_Ehdr),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 2 },
		.note_header = { 4, 4, PVH_ENTRY },
		.name = "Xen",
		.entry = CODE,
	};
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	file.load = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = (uint64_t)((uint8_t *)file.code - (uint8_t *)&file),
		.p_vaddr = CODE,
		.p_paddr = CODE,
		.p_filesz = sizeof(file.code),
		.p_memsz = sizeof(file.code),
	};
	file.note = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = (uint64_t)((uint8_t *)&file.note_header -
				       (uint8_t *)&file),
		.p_filesz = 20,
		.p_memsz = 20,
		.p_align = 4,
	};
	memcpy(file.code, code, length);
	assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
	return fd;
}

static int not_confined(char **errp)
{
	return 0;
}

static struct machine_process start(const uint8_t *code, size_t length,
				    int state, int memory)
{
	struct machine_files files;
	struct vm_config config = { .name = "test",
				    .cpus = 2,
				    .memory_mib = 16,
				    .rng = true,
				    .boot_timer = true };
	struct machine_process process;
	int ends[2];

	memset(&files, 0xff, sizeof(files));
	files.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (files.kvm < 0)
		skip();
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	files.kernel = kernel_of(code, length);
	files.link = ends[1];
	files.restore_state = state;
	files.restore_memory = memory;
	process.link = ends[0];
	process.pid = fork();
	if (!process.pid) {
		close(ends[0]);
		_exit(machine_main(&config, &files, not_confined));
	}
	close(ends[1]);
	close(files.kernel);
	close(files.kvm);
	return process;
}

/* The next message that has this member, "": any; its value is `value` if that
 * is not NULL. The caller frees it. */
static json_t *expect(struct machine_process *process, const char *key,
		      const char *value)
{
	char text[65536];

	for (;;) {
		ssize_t n = recv(process->link, text, sizeof(text), 0);
		json_t *json;
		const char *is;

		assert_true(n > 0);
		json = json_loadb(text, (size_t)n, 0, NULL);
		assert_non_null(json);
		is = json_string_value(json_object_get(json, key));
		if ((!*key || json_object_get(json, key)) &&
		    (!value || (is && !strcmp(is, value))))
			return json;
		json_decref(json);
	}
}

static void expect_event(struct machine_process *process, const char *name)
{
	json_decref(expect(process, "event", name));
}

/* Sends a command with up to two descriptors; the answer has `key`. */
static json_t *command(struct machine_process *process, const char *text,
		       const int *fds, const char *key)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { .header = { CMSG_LEN(2 * sizeof(int)), SOL_SOCKET,
				  SCM_RIGHTS } };
	struct iovec part = { (void *)text, strlen(text) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fds) {
		memcpy(CMSG_DATA(&control.header), fds, 2 * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	assert_true(sendmsg(process->link, &message, 0) > 0);
	return expect(process, key, NULL);
}

static void must(struct machine_process *process, const char *text)
{
	json_decref(command(process, text, NULL, "result"));
}

static void refused(struct machine_process *process, const char *text)
{
	json_decref(command(process, text, NULL, "error"));
}

static int end_status(struct machine_process *process)
{
	int status;

	close(process->link);
	assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void paused_and_reset(void **state)
{
	struct machine_process vm = start(halting, sizeof(halting), -1, -1);
	json_t *info;

	expect_event(&vm, "started");
	expect_event(&vm, "boot");
	must(&vm, "{\"id\":1,\"cmd\":\"pause\"}");
	refused(&vm, "{\"cmd\":\"pause\"}");
	info = command(&vm, "{\"cmd\":\"info\"}", NULL, "result");
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(info, "result"), "state")),
			    "paused");
	json_decref(info);
	must(&vm, "{\"cmd\":\"resume\"}");
	refused(&vm, "{\"cmd\":\"resume\"}");
	must(&vm, "{\"cmd\":\"reset\"}");
	expect_event(&vm, "boot");
	/* Nonsense is answered. */
	refused(&vm, "{\"cmd\":\"del-net\",\"net\":\"rng\"}");
	refused(&vm, "{\"cmd\":\"set-link\"}");
	refused(&vm, "{\"cmd\":\"add-net\",\"net\":[]}");
	refused(&vm, "{\"cmd\":\"balloon\",\"mib\":4}");
	refused(&vm, "{\"cmd\":7}");
	refused(&vm, "[]");
	refused(&vm, "{");
	/* Without its keeper it ends. */
	assert_int_equal(end_status(&vm), 1);
}

static void powered_off(void **state)
{
	struct machine_process vm = start(ending, sizeof(ending), -1, -1);

	expect_event(&vm, "shutdown");
	assert_int_equal(end_status(&vm), 0);
}

static void triple_fault(void **state)
{
	struct machine_process vm = start(faulting, sizeof(faulting), -1, -1);

	expect_event(&vm, "reset");
	expect_event(&vm, "reset");
	assert_int_equal(end_status(&vm), 1);
}

/* Whether an event of this name has come, or comes before the answer. */
static bool hears(struct machine_process *process, const char *name)
{
	static const char ask[] = "{\"cmd\":\"info\"}";
	bool heard = false, answered = false;

	assert_int_equal(send(process->link, ask, strlen(ask), 0), strlen(ask));
	while (!answered) {
		json_t *json = expect(process, "", NULL);
		const char *is =
			json_string_value(json_object_get(json, "event"));

		heard |= is && !strcmp(is, name);
		answered = json_object_get(json, "result");
		json_decref(json);
	}
	return heard;
}

/* It is told once, however often the guest says it. */
static void panicked(void **state)
{
	struct machine_process vm = start(panicking, sizeof(panicking), -1, -1);

	for (int i = 0; i < 2; i++) {
		expect_event(&vm, "panicked");
		for (int k = 0; k < 20; k++) {
			assert_false(hears(&vm, "panicked"));
			assert_false(hears(&vm, "boot"));
		}
		must(&vm, "{\"cmd\":\"reset\"}");
	}
	assert_int_equal(end_status(&vm), 1);
}

/* Those that were being started are as at power-on after a reset. */
static void other_cpus(void **state)
{
	struct machine_process vm = start(starting, sizeof(starting), -1, -1);

	expect_event(&vm, "reset");
	expect_event(&vm, "boot");
	for (int i = 0; i < 20; i++)
		assert_false(hears(&vm, "panicked"));
	assert_int_equal(end_status(&vm), 1);

	vm = start(resetting, sizeof(resetting), -1, -1);
	for (int i = 0; i < 100; i++)
		expect_event(&vm, "reset");
	must(&vm, "{\"cmd\":\"reset\"}");
	assert_int_equal(end_status(&vm), 1);
}

static void saved_and_restored(void **state)
{
	struct machine_process vm = start(halting, sizeof(halting), -1, -1);
	int files[] = { memfd_create("state", MFD_CLOEXEC),
			memfd_create("memory", MFD_CLOEXEC) };

	expect_event(&vm, "boot");
	json_decref(command(&vm, "{\"cmd\":\"save\"}", files, "result"));
	/* It may go on. */
	must(&vm, "{\"cmd\":\"resume\"}");
	end_status(&vm);
	for (int i = 0; i < 2; i++) {
		lseek(files[0], 0, SEEK_SET);
		vm = start(halting, sizeof(halting), files[0], files[1]);
		/* In the middle of its loop, not where it booted. */
		expect_event(&vm, "started");
		must(&vm, "{\"cmd\":\"pause\"}");
		must(&vm, "{\"cmd\":\"resume\"}");
		must(&vm, "{\"cmd\":\"reset\"}");
		expect_event(&vm, "boot");
		end_status(&vm);
	}
	close(files[1]);
	/* What is no saved state is told. */
	assert_int_equal(ftruncate(files[0], 100), 0);
	lseek(files[0], 0, SEEK_SET);
	vm = start(halting, sizeof(halting), files[0], -1);
	expect_event(&vm, "crashed");
	assert_int_equal(end_status(&vm), 1);
	close(files[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paused_and_reset),
		cmocka_unit_test(powered_off),
		cmocka_unit_test(triple_fault),
		cmocka_unit_test(panicked),
		cmocka_unit_test(other_cpus),
		cmocka_unit_test(saved_and_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
