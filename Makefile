# lb: build with `make`; `make help` lists the targets.
CC        ?= cc
OPT       ?= -O2 -g
USE_LUA   ?= 1
USE_PCRE2 ?= 1
SAN       ?=
SANITIZE  ?= $(SAN)
FUZZ      ?=
V         ?=
Q         := $(if $(V),,@)
VERSION   := $(shell cat VERSION)
empty     :=
comma     := ,
space     := $(empty) $(empty)
BUILD     ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))$(if $(filter clang%,$(CC)),-clang)
PROG      ?= $(if $(SANITIZE)$(FUZZ),$(BUILD)/lb,lb)

PREFIX    ?= /usr/local
SBINDIR   ?= $(PREFIX)/sbin
MANDIR    ?= $(PREFIX)/share/man
DOCDIR    ?= $(PREFIX)/share/doc/lb
UNITDIR   ?= $(PREFIX)/lib/systemd/system

# What to test: part of a path (T=conn); how long to fuzz each target.
T            ?=
FUZZ_SECONDS ?= 10

SRCS      := $(sort $(shell find src -name '*.c'))
SRCS      := $(if $(filter 1,$(USE_LUA)),$(SRCS),$(filter-out src/lua/%,$(SRCS)))
OBJS      := $(SRCS:src/%.c=$(BUILD)/%.o)
LIBOBJS   := $(filter-out $(BUILD)/main.o,$(OBJS))
HAVE_LUA  := $(and $(filter 1,$(USE_LUA)),$(filter src/lua/%,$(SRCS)))

PKGS      := liburcu-qsbr libcap openssl libxxhash jansson
PKGS      += $(if $(filter 1,$(USE_PCRE2)),libpcre2-8)
PKGS      += $(if $(HAVE_LUA),lua5.4)
PKG_CF    := $(shell pkg-config --cflags $(PKGS))
PKG_LD    := $(shell pkg-config --libs $(PKGS)) -lurcu-common -lcrypt -lpthread -lm

CPPFLAGS  += -D_GNU_SOURCE -Iinclude -DLB_VERSION='"$(VERSION)"' -DURCU_INLINE_SMALL_FUNCTIONS
CPPFLAGS  += $(if $(filter 1,$(USE_PCRE2)),-DUSE_PCRE2=1 -DPCRE2_CODE_UNIT_WIDTH=8)
CPPFLAGS  += $(if $(HAVE_LUA),-DUSE_LUA=1)
CFLAGS    += -std=gnu17 $(OPT) -Wall -Wextra -Werror -Wno-unused-parameter -Wstrict-prototypes \
             -Wmissing-prototypes -fno-strict-aliasing -fno-common -pthread
SAN_FLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -O1)
SAN_FLAGS += $(if $(filter undefined,$(subst $(comma),$(space),$(SANITIZE))),-fno-sanitize-recover=all)
SAN_FLAGS += $(if $(FUZZ),-fsanitize=fuzzer-no-link)
# gcc's flow analysis is led astray by instrumentation; the plain build has this warning on.
SAN_FLAGS += $(if $(and $(SANITIZE),$(filter-out clang%,$(CC))),-Wno-maybe-uninitialized)
CFLAGS    += $(SAN_FLAGS)
LDFLAGS   += -pthread -rdynamic $(SAN_FLAGS)

# Programs of their own below tests/. Fixtures are headers of static functions; nobody uses all.
TEST_CF   := -Wno-unused-function
TESTS     := $(sort $(shell find tests -name '*_test.c'))
UNITS     := $(TESTS:%.c=$(BUILD)/%)
FUZZERS   := $(patsubst %.c,$(BUILD)/%,$(sort $(shell find tests -name '*_fuzz.c')))
BENCHES   := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/bench/*.c)))
WANTED     = $(if $(T),$(foreach p,$(1),$(if $(findstring $(T),$(p)),$(p))),$(1))

all: $(PROG)

$(PROG): $(OBJS)
	@echo '  LD    $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $(OBJS) $(PKG_LD)

$(BUILD)/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CF) $(CFLAGS) -MMD -MP -c -o $@ $<

# Rewritten when the flags differ from those of the last build, so that switches take effect.
FLAGS     := $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
$(BUILD)/flags: force
	@mkdir -p $(@D)
	@printf '%s\n' "$$FLAGS_NOW" | cmp -s - $@ || printf '%s\n' "$$FLAGS_NOW" >$@
$(BUILD)/flags: export FLAGS_NOW = $(FLAGS)

$(BUILD)/tests/%_test: tests/%_test.c $(LIBOBJS)
	@rm -f $@ # an old one must not be run when this fails
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CF) $(CFLAGS) $(TEST_CF) -MMD -MP -MF $@.d -MT $@ \
		$(LDFLAGS) -o $@ $< $(LIBOBJS) -lcmocka $(PKG_LD)

$(BUILD)/tests/%_fuzz: tests/%_fuzz.c $(LIBOBJS)
	@rm -f $@
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CF) $(CFLAGS) $(TEST_CF) -Wno-missing-prototypes -MMD -MP -MF $@.d -MT $@ \
		$(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(LIBOBJS) $(PKG_LD)

$(BUILD)/tests/bench/%: tests/bench/%.c $(LIBOBJS)
	@rm -f $@
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CF) $(CFLAGS) -MMD -MP -MF $@.d -MT $@ $(LDFLAGS) -o $@ $< $(LIBOBJS) $(PKG_LD)

-include $(OBJS:.o=.d) $(UNITS:=.d) $(FUZZERS:=.d) $(BENCHES:=.d)

# Each of these writes its counts to a file; check adds them up.
COUNTS    := $(BUILD)/counts

# A program that does not build is a failure of its own; the others run all the same.
unit:
	@mkdir -p $(COUNTS)
	@$(MAKE) --no-print-directory -k unit-programs || echo 'unit: not all programs could be built'
	@scripts/run-units -o $(COUNTS)/unit $(call WANTED,$(UNITS))

reg-tests: $(PROG)
	@mkdir -p $(COUNTS)
	@LB=$(abspath $(PROG)) scripts/run-regtests -o $(COUNTS)/reg-tests $(if $(T),-t '$(T)')

check:
	@rm -rf $(COUNTS)
	@rc=0; $(MAKE) --no-print-directory -k unit || rc=1; \
		$(MAKE) --no-print-directory reg-tests || rc=1; \
		scripts/add-counts $(COUNTS) unit reg-tests && exit $$rc

unit-programs: $(call WANTED,$(UNITS))

fuzz-programs: $(call WANTED,$(FUZZERS))

# In a build of its own: clang, libFuzzer, sanitizers. A BUILD given by the user gets a suffix.
fuzz:
	@$(MAKE) --no-print-directory CC=$(if $(filter clang%,$(CC)),$(CC),clang) FUZZ=1 \
		SANITIZE=address,undefined BUILD=$(BUILD)-fuzz fuzz-run

fuzz-run:
	@mkdir -p $(COUNTS)
	@$(MAKE) --no-print-directory -k fuzz-programs || echo 'fuzz: not all programs could be built'
	@scripts/run-fuzz -o $(COUNTS)/fuzz -s $(FUZZ_SECONDS) $(call WANTED,$(FUZZERS))

lint:
	@scripts/lint

bench: $(PROG) $(BENCHES)
	@$(BUILD)/tests/bench/parse_bench
	@$(BUILD)/tests/bench/pattern_bench
	@if [ -x scripts/bench ]; then LB=$(abspath $(PROG)) BUILD=$(abspath $(BUILD)) scripts/bench; fi

bench-programs: $(BENCHES)

install: $(PROG)
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(DOCDIR)/examples \
		$(DESTDIR)$(UNITDIR)
	install -m 755 $(PROG) $(DESTDIR)$(SBINDIR)/lb
	install -m 644 doc/lb.1 $(DESTDIR)$(MANDIR)/man1/lb.1
	install -m 644 LICENSE $(wildcard README.md doc/*.md) $(DESTDIR)$(DOCDIR)
	install -m 644 $(wildcard examples/*) $(DESTDIR)$(DOCDIR)/examples
	sed 's|/usr/local/sbin/lb|$(SBINDIR)/lb|g; s|/usr/local/share/doc/lb|$(DOCDIR)|g' examples/lb.service \
		>$(DESTDIR)$(UNITDIR)/lb.service
	chmod 644 $(DESTDIR)$(UNITDIR)/lb.service

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/lb $(DESTDIR)$(MANDIR)/man1/lb.1 $(DESTDIR)$(UNITDIR)/lb.service
	rm -rf $(DESTDIR)$(DOCDIR)

clean:
	rm -rf build build-* lb

help:
	@echo 'make                   build ./lb'
	@echo 'make check             unit tests and reg-tests; T=conn: only those with conn in their path'
	@echo 'make unit reg-tests    either of them alone'
	@echo 'make fuzz              every fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS) (needs clang); T= as above'
	@echo 'make lint              clang-format, layers, clang-tidy, cppcheck'
	@echo 'make bench             benchmarks'
	@echo 'make install           to PREFIX=$(PREFIX), below DESTDIR if given; make uninstall'
	@echo 'make clean             removes what was built'
	@echo
	@echo 'CC=clang               another compiler, in its own build folder'
	@echo 'SANITIZE=address,undefined or SANITIZE=thread (also SAN=): instrumented, in its own folder'
	@echo 'USE_LUA=0 USE_PCRE2=0  without these libraries'
	@echo 'BUILD=dir PROG=file    where to build; V=1: show the commands'

force:

.PHONY: all bench bench-programs check clean force fuzz fuzz-programs fuzz-run help install lint \
	reg-tests uninstall unit unit-programs
