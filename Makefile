# vsw: everything a person or CI runs. `make help` lists the targets.
#
#   make                     programs in build/
#   make SAN=asan|tsan|fuzz  the same under a sanitizer, in build/SAN/
#   make DPDK=1              with ports of type dpdk, in build/dpdk/
#
# Files are found by their folder, so a new file needs no line here:
#   datapath/**, ovsdb-lite/*, ctl/*, vmm/**  sources; main.c of each is its program's
#   tests/unit/test_*.c                one cmocka program each
#   tests/fuzz/fuzz_*.c                one libFuzzer target each
#   tests/bench/bench_*.c              one benchmark program each
#   tests/bench/vhost_gen*.c           the vhost-user generator, if DPDK is here
#   tests/support/*.c                  what all three may use
#   tests/support/dpdk/*.c             a program of DPDK each, if that is here
#   tests/net/programs/*.c             a program of the net tests each
#   tests/vm/guests/*.[cS]             a kernel that tests its monitor
#   datapath/fastpath/*.bpf.c, tests/unit/bpf/*.bpf.c
#                                      programs for the kernel, each a skeleton header

VERSION  := 0.1.0
PREFIX   ?= /usr/local
SAN      ?=

DPDK     ?=

DIR      := build$(if $(SAN),/$(SAN))$(if $(DPDK),/dpdk)
CC_fuzz  := clang
CC_tsan  := clang
CC       := $(or $(CC_$(SAN)),gcc)

PKGS     := jansson libevent libevent_openssl libevent_pthreads libmnl libpcap \
            libseccomp libcap-ng libbpf libxdp openssl $(if $(DPDK),libdpdk)
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wold-style-definition -Wpointer-arith -Wvla -Wwrite-strings \
            -Wno-unused-parameter -Wno-gnu-variable-sized-type-not-at-end -Werror
CFLAGS_  := $(or $(CFLAGS_$(SAN)),-O2 -g -fno-plt -D_FORTIFY_SOURCE=2)
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
            -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_fuzz := -O1 -g -fsanitize=address,undefined,fuzzer-no-link \
            -fno-sanitize-recover=all -fno-omit-frame-pointer
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -fstack-protector-strong -fPIE $(WARN) \
            -DVSW_VERSION='"$(VERSION)"' $(if $(DPDK),-DHAVE_DPDK) \
            -Idatapath -I. -I$(DIR)/obj/datapath \
            $(shell pkg-config --cflags $(PKGS) 2>/dev/null) \
            $(CFLAGS_$(SAN)) $(if $(SAN),,$(CFLAGS_)) $(CFLAGS)
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_fuzz := -fsanitize=address,undefined
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now $(LDFLAGS_$(SAN)) $(LDFLAGS)
# Not by pkg-config, which would ask for GLib's headers, too.
SLIRP    := -Wl,--as-needed -lslirp -Wl,--no-as-needed
LDLIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) $(SLIRP) -lpthread -lm

# Libraries, lowest first. A program links those it needs.
SRC_base   := $(wildcard datapath/base/*.c)
SRC_ovsdb  := $(filter-out ovsdb-lite/main.c,$(wildcard ovsdb-lite/*.c))
SRC_dp     := $(wildcard datapath/packet/*.c \
              datapath/fastpath/*.c datapath/vhost/*.c datapath/port/*.c \
              datapath/forward/*.c datapath/bond/*.c datapath/discovery/*.c \
              datapath/tunnel/*.c \
              datapath/nat/*.c datapath/gateway/*.c datapath/router/*.c \
              datapath/policy/*.c datapath/shape/*.c \
              datapath/worker/*.c)
SRC_dp     := $(filter-out %.bpf.c,$(SRC_dp))
# Only with DPDK=1.
ifeq ($(DPDK),)
SRC_dp     := $(filter-out datapath/port/dpdk%,$(SRC_dp))
endif
SRC_vswd   := $(filter-out datapath/vswd/main.c,$(wildcard datapath/vswd/*.c))
SRC_ctl    := $(filter-out ctl/main.c,$(wildcard ctl/*.c))
SRC_vmm    := $(filter-out vmm/main.c,$(wildcard vmm/*.c vmm/*/*.c))

# Helpers that tests share: every other .c file of these folders.
SRC_unit_common := $(filter-out tests/unit/test_%.c,$(wildcard tests/unit/*.c))
# The same for all kinds of test, without cmocka.
SRC_support := $(wildcard tests/support/*.c)

obj = $(patsubst %.c,$(DIR)/obj/%.o,$(1))
LIB_base   := $(DIR)/libbase.a
LIB_ovsdb  := $(DIR)/libovsdb.a
LIB_dp     := $(DIR)/libdatapath.a
LIB_vswd   := $(DIR)/libvswd.a
LIB_ctl    := $(DIR)/libctl.a
LIB_vmm    := $(DIR)/libvmm.a
LIB_unit   := $(DIR)/libunit.a
LIB_support := $(DIR)/libsupport.a

PROGRAMS := $(if $(wildcard datapath/vswd/main.c),$(DIR)/vswd) \
            $(if $(wildcard ctl/main.c),$(DIR)/vsw-ctl $(DIR)/vsw-tls.so) \
            $(if $(wildcard ovsdb-lite/main.c),$(DIR)/ovsdb-lite) \
            $(if $(wildcard vmm/main.c),$(DIR)/vsw-vmm)
UNIT     := $(patsubst tests/unit/%.c,$(DIR)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ     := $(patsubst tests/fuzz/%.c,$(DIR)/fuzzers/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH    := $(patsubst tests/bench/%.c,$(DIR)/bench/%,$(wildcard tests/bench/bench_*.c))
# Guests for the vhost-user benchmark, without which all else is built, too.
GEN_OBJ  := $(call obj,$(wildcard tests/bench/vhost_gen*.c))
ifeq ($(shell pkg-config --exists libdpdk && echo yes),yes)
BENCH    += $(DIR)/bench/vhost_gen
DPDK_TOOLS := $(patsubst tests/support/dpdk/%.c,$(DIR)/dpdk-tools/%,$(wildcard tests/support/dpdk/*.c))
endif
DPDK_OBJ := $(GEN_OBJ) $(call obj,$(wildcard tests/support/dpdk/*.c))

NET_TOOLS := $(patsubst tests/net/programs/%.c,$(DIR)/net-tools/%,$(wildcard tests/net/programs/*.c))

# Freestanding; the same program as an ELF with a PVH note and as a bzImage.
GUEST_DIR := $(DIR)/vm-guests
GUEST_SRC := $(filter-out %/bzimage.S,$(wildcard tests/vm/guests/*.[cS]))
GUEST_OBJ := $(patsubst tests/vm/guests/%,$(GUEST_DIR)/%.o,$(GUEST_SRC))
GUESTS    := $(GUEST_DIR)/guest.elf $(GUEST_DIR)/guest.bzimage
GUEST_CFLAGS := -std=gnu11 -O2 -g $(WARN) -ffreestanding -fno-pic -fno-pie \
            -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
            -fcf-protection=none -fno-asynchronous-unwind-tables \
            -fno-tree-loop-distribute-patterns

.PHONY: all
all: $(PROGRAMS)

$(LIB_base):  $(call obj,$(SRC_base))
$(LIB_ovsdb): $(call obj,$(SRC_ovsdb))
$(LIB_dp):    $(call obj,$(SRC_dp))
$(LIB_vswd):  $(call obj,$(SRC_vswd))
$(LIB_ctl):   $(call obj,$(SRC_ctl))
$(LIB_vmm):   $(call obj,$(SRC_vmm))
$(LIB_unit):  $(call obj,$(SRC_unit_common))
$(LIB_support): $(call obj,$(SRC_support))
%.a:
	@rm -f $@
	$(Q)ar rcs $@ $^

Q := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-5s %s\n' $(1) $(2))

$(DIR)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
# Its assembler reads the schema, which the compiler's -MMD does not see.
$(DIR)/obj/ovsdb-lite/vswitch_schema.o: ovsdb-lite/vswitch.ovsschema

LIBS_ALL := $(LIB_vswd) $(LIB_dp) $(LIB_ctl) $(LIB_vmm) $(LIB_ovsdb) $(LIB_base)
link = $(Q)$(CC) $(ALL_LDFLAGS) $(1) -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS) $(2)

$(DIR)/vswd: $(call obj,datapath/vswd/main.c) $(LIB_vswd) $(LIB_dp) $(LIB_ovsdb) $(LIB_base)
	$(call say,LD,$@)
	$(call link)
# Neither OpenSSL nor all of libevent: what vsw-ctl loads it waits for each time.
$(DIR)/vsw-ctl: LDLIBS = $(shell pkg-config --libs jansson libevent_core)
$(DIR)/vsw-ctl: $(call obj,ctl/main.c) $(LIB_ctl) $(LIB_ovsdb) $(LIB_base)
	$(call say,LD,$@)
	$(call link,-Wl$(comma)-rpath$(comma)'$$ORIGIN:$$ORIGIN/../lib/vsw' \
		$(TLS_NEEDS:%=-Wl$(comma)--export-dynamic-symbol=%))
# As lean: its memory is counted by the guest.
$(DIR)/vsw-vmm: LDLIBS = $(shell pkg-config --libs jansson libevent_core libevent_pthreads libseccomp libcap-ng) -lpthread
$(DIR)/vsw-vmm: $(call obj,vmm/main.c) $(LIB_vmm) $(LIB_ovsdb) $(LIB_base)
	$(call say,LD,$@)
	$(call link)
# Programs for the kernel: what loads one includes its skeleton, NAME.skel.h. The
# kernel's verifier lets no spilled number take the place of a spilled pointer
# from who may not look into the kernel (CAP_PERFMON): spills share no slots.
BPF_CC   := clang
BPFTOOL  := $(or $(shell command -v bpftool),/usr/sbin/bpftool)
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -mllvm -disable-ssc \
            $(filter-out -Wmissing-prototypes -Wno-gnu%,$(WARN)) \
            -Idatapath -I. -isystem /usr/include/$(shell $(BPF_CC) -print-multiarch 2>/dev/null)
skeletons = $(patsubst %.bpf.c,$(DIR)/obj/%.skel.h,$(wildcard $(1)/*.bpf.c))
$(DIR)/obj/%.bpf.o: %.bpf.c Makefile
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(BPF_CC) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@.debug $<
	$(Q)$(BPFTOOL) gen object $@ $@.debug
$(DIR)/obj/%.skel.h: $(DIR)/obj/%.bpf.o
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf >$@.new && mv $@.new $@
$(call obj,$(filter datapath/fastpath/%,$(SRC_dp))): | $(call skeletons,datapath/fastpath)
$(call obj,$(wildcard tests/unit/test_fastpath*.c)): | \
	$(call skeletons,datapath/fastpath) $(call skeletons,tests/unit/bpf)
$(DIR)/obj/tests/unit/test_fastpath%.o: ALL_CFLAGS += -I$(DIR)/obj

# The DSDT, compiled: an array for the C that includes it.
$(DIR)/obj/vmm/x86/dsdt.hex: vmm/x86/dsdt.asl
	@mkdir -p $(@D)
	$(call say,IASL,$@)
	$(Q)iasl -vs -tc -p $(basename $@) $< >$(basename $@).log || { cat $(basename $@).log; exit 1; }
$(call obj,vmm/x86/acpi.c): $(DIR)/obj/vmm/x86/dsdt.hex
$(call obj,vmm/x86/acpi.c): ALL_CFLAGS += -I$(DIR)/obj

# TLS for vsw-ctl, loaded when needed (ctl/tls_module.c).
comma := ,
TLS_NEEDS := set_error xcalloc xstrdup
$(call obj,ovsdb-lite/tls_openssl.c): ALL_CFLAGS += -fPIC
$(DIR)/vsw-tls.so: $(call obj,ovsdb-lite/tls_openssl.c)
	$(call say,LD,$@)
	$(Q)$(CC) $(filter-out -pie,$(ALL_LDFLAGS)) -shared -o $@ $^ \
		$(shell pkg-config --libs libevent_openssl openssl)
$(DIR)/ovsdb-lite: $(call obj,ovsdb-lite/main.c) $(LIB_ovsdb) $(LIB_base)
	$(call say,LD,$@)
	$(call link)
$(DIR)/unit/%: $(DIR)/obj/tests/unit/%.o $(LIB_unit) $(LIB_support) $(LIBS_ALL)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link,,-lcmocka)
# vmm/ shares no code with the datapath, and some of its names: a ring has two
# sides.
LIBS_VMM := $(LIB_support) $(LIB_vmm) $(LIB_ovsdb) $(LIB_base)
$(DIR)/unit/test_vmm_%: $(DIR)/obj/tests/unit/test_vmm_%.o $(LIB_unit) $(LIBS_VMM)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link,,-lcmocka)
$(DIR)/fuzzers/fuzz_vmm_%: $(DIR)/obj/tests/fuzz/fuzz_vmm_%.o $(LIBS_VMM)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link,-fsanitize=fuzzer)
$(DIR)/fuzzers/%: $(DIR)/obj/tests/fuzz/%.o $(LIB_support) $(LIBS_ALL)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link,-fsanitize=fuzzer)
$(DIR)/net-tools/%: $(DIR)/obj/tests/net/programs/%.o $(LIB_dp) $(LIB_base)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link)
$(DIR)/bench/%: $(DIR)/obj/tests/bench/%.o $(LIB_support) $(LIBS_ALL)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link)
# Its own headers need DPDK's instruction set and are not held to our warnings.
$(DPDK_OBJ): ALL_CFLAGS += -O3 -march=native \
	$(patsubst -I%,-isystem%,$(filter-out -march=%,$(shell pkg-config --cflags libdpdk 2>/dev/null)))
$(DIR)/bench/vhost_gen: $(GEN_OBJ)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs libdpdk)
$(DIR)/dpdk-tools/%: $(DIR)/obj/tests/support/dpdk/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs libdpdk)
$(GUEST_DIR)/%.o: tests/vm/guests/% Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)gcc $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<
$(GUEST_DIR)/guest.elf: $(GUEST_OBJ) tests/vm/guests/guest.ld
	$(call say,LD,$@)
	$(Q)ld -z noexecstack --no-warn-rwx-segments -T tests/vm/guests/guest.ld -o $@ $(GUEST_OBJ)
$(GUEST_DIR)/guest.bzimage: $(GUEST_DIR)/guest.elf tests/vm/guests/bzimage.S
	$(call say,LD,$@)
	$(Q)objcopy -O binary $< $(@:%.bzimage=%.bin)
	$(Q)gcc -DGUEST_BIN='"$(@:%.bzimage=%.bin)"' \
		-DGUEST_PARAGRAPHS=$$((($$(stat -c %s $(@:%.bzimage=%.bin)) + 15) / 16)) -c -o $@.o tests/vm/guests/bzimage.S
	$(Q)objcopy -O binary -j .text $@.o $@

.PHONY: unit-programs fuzz-programs bench-programs dpdk-tools net-tools vm-guests
unit-programs: $(UNIT)
fuzz-programs: $(FUZZ)
bench-programs: $(BENCH)
dpdk-tools: $(DPDK_TOOLS)
net-tools: $(NET_TOOLS)
vm-guests: $(GUESTS)
.SECONDARY:

-include $(shell find $(DIR)/obj $(GUEST_DIR) -name '*.d' 2>/dev/null)

# --- what a person or CI runs; each target installs what it needs -----------

.PHONY: help deps check unit asan tsan net vm fuzz lint bench soak demo demo-evpn install clean
help:
	@grep -hE '^## ' Makefile | sed 's/^## /  /'
## make          build the programs into build/
## make demo     install, build and show the switch at work on this machine
## make demo-evpn  the same for an overlay over two hosts, with FRR
## make check    install what the tests need and run all of them
check:
	scripts/check
## make unit     unit tests; no root needed
unit: $(UNIT)
	scripts/run-unit $(DIR)/unit
## make net      tests with namespaces and real peers; root
net: all dpdk-tools net-tools
	tests/net/run $(T)
## make vm       tests with guests in QEMU; root
vm: all vm-guests
	tests/vm/run $(T)
## make fuzz     each fuzz target for FUZZ_TIME seconds (default 60)
fuzz:
	scripts/run-fuzz $(or $(FUZZ_TIME),60)
## make lint     formatting, layers, clang-tidy, cppcheck
lint:
	scripts/lint
## make bench    measure against the kernel bridge and Open vSwitch; root
bench:
	scripts/bench
## make soak     long tests that CI leaves out
soak:
	scripts/soak
demo:
	scripts/demo
demo-evpn:
	scripts/demo-evpn
## make deps     install with apt what building and testing needs
deps:
	scripts/install-deps all
## make install  DESTDIR= PREFIX= programs, man pages, completion, systemd unit
install: all
	scripts/install '$(DESTDIR)' '$(PREFIX)' '$(DIR)'
clean:
	rm -rf build
