# lb: build with `make`; `make help` lists the targets.
CC        ?= cc
OPT       ?= -O2 -g
USE_LUA   ?= 1
USE_PCRE2 ?= 1
SANITIZE  ?=
VERSION   := $(shell cat VERSION)
empty     :=
comma     := ,
space     := $(empty) $(empty)
BUILD     ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))$(if $(filter clang%,$(CC)),-clang)
PROG      ?= $(if $(SANITIZE),$(BUILD)/lb,lb)

PKGS      := liburcu-qsbr libcap openssl libxxhash jansson
PKGS      += $(if $(filter 1,$(USE_PCRE2)),libpcre2-8)
PKG_CF    := $(shell pkg-config --cflags $(PKGS))
PKG_LD    := $(shell pkg-config --libs $(PKGS)) -lurcu-common -lcrypt -lpthread -lm

CPPFLAGS  += -D_GNU_SOURCE -Iinclude -DLB_VERSION='"$(VERSION)"' -DURCU_INLINE_SMALL_FUNCTIONS
CPPFLAGS  += $(if $(filter 1,$(USE_PCRE2)),-DUSE_PCRE2=1 -DPCRE2_CODE_UNIT_WIDTH=8)
CFLAGS    += -std=gnu17 $(OPT) -Wall -Wextra -Werror -Wno-unused-parameter -Wstrict-prototypes \
             -Wmissing-prototypes -fno-strict-aliasing -fno-common -pthread
SAN_FLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -O1)
CFLAGS    += $(SAN_FLAGS)
LDFLAGS   += -pthread -rdynamic $(SAN_FLAGS)

SRCS      := $(sort $(shell find src -name '*.c'))
OBJS      := $(SRCS:src/%.c=$(BUILD)/%.o)
LIBOBJS   := $(filter-out $(BUILD)/main.o,$(OBJS))

all: $(PROG)

$(PROG): $(OBJS)
	$(CC) $(LDFLAGS) -o $@ $(OBJS) $(PKG_LD)

$(BUILD)/%.o: src/%.c Makefile VERSION
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CF) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJS:.o=.d)

clean:
	rm -rf build build-* lb

.PHONY: all clean
