# Builds the core library, the tools and the nginx module; see docs/contributing.md.
#
#   make                 everything into build/        make run      a server to try out
#   make check           unit tests (TEST=name: one)   make test     all tests, as CI does
#   make lint, make format, make asan, make fuzz, make valgrind, make bench, make faq-eval
#
# Variants: SANITIZE=address,undefined, STORE=mongo (check), NGINX_SRC=/path/to/nginx-1.26.3,
# BUILD=/another/dir, V=1 (show whole commands)

VERSION   = 0.1.0
SOVERSION = 0

SANITIZE ?=
BUILD    ?= build$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))
PREFIX   ?= /usr/local
DESTDIR  ?=
NGINX    ?= $(firstword $(wildcard /usr/sbin/nginx /usr/local/sbin/nginx) nginx)
NGINX_SRC ?=

comma := ,
root  := $(CURDIR)
build := $(abspath $(BUILD))

# A distribution's prefix has its libraries below the architecture's name, any other has not.
multiarch  := $(shell $(CC) -print-multiarch 2>/dev/null)
LIBDIR     ?= $(PREFIX)/lib$(if $(filter /usr,$(PREFIX)),$(addprefix /,$(multiarch)))
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
EXAMPLEDIR ?= $(PREFIX)/share/doc/realtime/examples
# load_module resolves a relative name against the directory that nginx was configured with
MODULESDIR ?= $(shell scripts/nginx-modules-path $(NGINX))

CORE_SRCS    := $(sort $(filter-out %_test.c,$(wildcard core/*/rt_*.c)))
CORE_HEADERS := $(sort $(wildcard core/include/rt/*.h core/*/*.h))
TEST_SRCS    := $(sort $(wildcard core/*/rt_*_test.c))
TOOL_SRCS    := $(sort $(wildcard core/tools/realtime-*.c))
MODULE_SRCS  := $(sort $(wildcard ngx_realtime_module/*.c))
MODULE_DEPS  := $(sort $(wildcard ngx_realtime_module/*.h core/include/rt/*.h))
FUZZ_SRCS    := $(sort $(wildcard core/*/fuzz/fuzz_*.c))
MAN_PAGES    := $(sort $(wildcard docs/man/*.1))

# its 6.0 gave the file for pkg-config another name
MSGPACK := $(shell pkg-config --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack)

# Libraries that only some versions of the core use are asked for only then.
uses = $(if $(shell grep -lE '$(1)' $(CORE_SRCS) $(CORE_HEADERS)),$(2))
PACKAGES := jansson libjwt libcrypto \
    $(call uses,<sqlite3\.h>,sqlite3) $(call uses,<mongoc/mongoc\.h>,libmongoc-1.0) \
    $(call uses,<zlib\.h>,zlib) \
    $(call uses,<unicode/,icu-uc) $(call uses,<curl/curl\.h>,libcurl) \
    $(call uses,<msgpack\.h>,$(MSGPACK))

STEMMER := $(call uses,<libstemmer\.h>,-lstemmer)# it has no file for pkg-config

# asked once and only when needed: `make run` installs pkg-config first
LIB_CFLAGS = $(eval LIB_CFLAGS := $$(shell pkg-config --cflags $$(PACKAGES)))$(LIB_CFLAGS)
LIB_LIBS = $(eval LIB_LIBS := $$(shell pkg-config --libs $$(PACKAGES)) $$(STEMMER) -pthread -lm)$(LIB_LIBS)

OPTIMIZE ?= -O2
HARDENING = -fstack-protector-strong \
    $(if $(SANITIZE),,$(if $(filter -O0,$(OPTIMIZE)),,-D_FORTIFY_SOURCE=2))
# members that a table leaves out are zero: as meant
WARNINGS  = -Wall -Wextra -Werror -Wpointer-arith -Wformat=2 -Wvla -Wno-missing-field-initializers
SANFLAGS  = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
    -fno-omit-frame-pointer)
# kept apart from CFLAGS, so that a packager's CFLAGS do not lose them
RT_CFLAGS = -std=gnu11 $(OPTIMIZE) -g -fPIC $(WARNINGS) $(HARDENING) $(SANFLAGS) \
    -Icore/include -Icore -I$(BUILD) $(LIB_CFLAGS)
RT_LDFLAGS = $(SANFLAGS) -Wl,-z,relro -Wl,-z,now -Wl,--as-needed

LIB_NAME   := librealtime_core.so
LIB        := $(BUILD)/$(LIB_NAME)
LIB_SONAME := $(LIB_NAME).$(SOVERSION)
ARCHIVE    := $(BUILD)/librealtime_core.a
MODULE     := $(BUILD)/ngx_http_realtime_module.so
BUILD_ID   := $(BUILD)/rt_build_id.h

CORE_OBJS := $(CORE_SRCS:%.c=$(BUILD)/obj/%.o)
TOOLS     := $(TOOL_SRCS:core/tools/%.c=$(BUILD)/%)
TESTS     := $(foreach t,$(TEST_SRCS),\
    $(if $(findstring $(or $(TEST),rt_),$(t)),$(t:%.c=$(BUILD)/test/%)))
TOOL_OBJS := $(TOOL_SRCS:%.c=$(BUILD)/obj/%.o)
TEST_OBJS := $(TEST_SRCS:%.c=$(BUILD)/obj/%.o)

V ?=
Q := $(if $(V),,@)
silent := $(findstring s,$(firstword -$(filter-out --%,$(MAKEFLAGS))))
say = $(if $(V)$(silent),,@printf '  %-6s %s\n' $(1) $(2))

# Writes $(1) to the target only when it says something new, so that it works as a dependency.
define write_if_changed
@mkdir -p $(@D)
@printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' > $@
endef


.PHONY: all core tools module check test run lint format asan fuzz valgrind bench faq-eval \
    install uninstall clean compile_commands FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: core tools module $(BUILD)/compile_commands.json

core: $(LIB)

tools: $(TOOLS)

module: $(MODULE)


# The fingerprint that module and library compare when nginx reads its configuration.

build_id := $(VERSION)-$(shell LC_ALL=C sha256sum config $(CORE_SRCS) $(CORE_HEADERS) \
    $(MODULE_SRCS) $(MODULE_DEPS) | sha256sum | cut -c1-16)

$(BUILD_ID): FORCE
	$(call write_if_changed,#define RT_BUILD_ID "$(build_id)")


# Core library. Linked under another name and moved, never written in place: a running nginx may
# have the old one mapped.

$(BUILD)/obj/%.o: %.c $(BUILD)/cflags | $(BUILD_ID)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(RT_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# by this name: dependency files give another one, whose age make would look at too early
$(patsubst %.c,$(BUILD)/obj/%.o,$(shell grep -l 'rt_build_id\.h' $(CORE_SRCS))): $(BUILD_ID)

$(BUILD)/cflags: FORCE
	$(call write_if_changed,$(CC) $(RT_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS))

$(BUILD)/sources: FORCE
	$(call write_if_changed,$(CORE_SRCS))

$(BUILD)/$(LIB_SONAME): $(CORE_OBJS) $(BUILD)/sources
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(LIB_SONAME) -Wl,-z,nodelete \
	    $(if $(SANITIZE),,-Wl,-z,defs) $(RT_LDFLAGS) $(LDFLAGS) \
	    -o $@.new $(CORE_OBJS) $(LIB_LIBS)
	@mv -f $@.new $@

$(LIB): $(BUILD)/$(LIB_SONAME)
	@ln -sf $(LIB_SONAME) $@

$(ARCHIVE): $(CORE_OBJS) $(BUILD)/sources
	@rm -f $@.new
	$(Q)$(AR) rcs $@.new $(CORE_OBJS)
	@mv -f $@.new $@


# Tools find the library beside themselves (build tree) or where it is installed.

$(TOOLS): $(BUILD)/%: $(BUILD)/obj/core/tools/%.o $(LIB) $(BUILD)/run_path
	$(call say,LINK,$@)
	$(Q)$(CC) $(RT_LDFLAGS) -pie $(LDFLAGS) -o $@.new $< -L$(BUILD) -lrealtime_core $(LIB_LIBS) \
	    -Wl,-rpath,'$$ORIGIN:$(LIBDIR)'
	@mv -f $@.new $@

$(BUILD)/run_path: FORCE
	$(call write_if_changed,$(LIBDIR))


# Module. nginx's own build does the work; ours says when. `$ORIGIN` does not survive nginx's
# configure script, but the linker also reads LD_RUN_PATH.

nginx_tree := $(or $(NGINX_SRC),/usr/share/nginx/src)
module_objects := $(BUILD)/nginx/addon/ngx_realtime_module

$(BUILD)/nginx.inputs: FORCE
	$(call write_if_changed,$(nginx_tree) $(CC) $(OPTIMIZE) $(SANITIZE) \
	    $(MODULE_SRCS) $(MODULE_DEPS) $(shell cksum config scripts/configure-nginx \
	    $(wildcard $(nginx_tree)/src/core/nginx.h $(nginx_tree)/conf_flags)))

$(BUILD)/nginx/Makefile: $(BUILD)/nginx.inputs | $(LIB)
	@rm -rf $(BUILD)/nginx
	$(call say,CONF,"nginx's build of the module")
	$(Q)RT_BUILD_DIR='$(build)' CC='$(CC)' NGINX='$(NGINX)' NGINX_SRC='$(NGINX_SRC)' \
	    scripts/configure-nginx '$(build)/nginx' dynamic \
	    '$(OPTIMIZE) $(HARDENING) $(SANFLAGS)' '$(SANFLAGS) -Wl,-z,relro -Wl,-z,now'

$(MODULE): $(BUILD)/nginx/Makefile $(BUILD)/run_path $(MODULE_SRCS) $(MODULE_DEPS) $(BUILD_ID) | $(LIB)
	@if [ $(BUILD_ID) -nt $(MODULE) ]; then \
	    for f in $$(grep -l 'rt_build_id\.h' $(MODULE_SRCS)); do \
	        rm -f $(module_objects)/$$(basename $$f .c).o; \
	    done; \
	fi
	@rm -f $(BUILD)/nginx/ngx_http_realtime_module.so
	$(call say,MODULE,$@)
	$(Q)+LD_RUN_PATH='$$ORIGIN:$(LIBDIR)' $(MAKE) --no-print-directory $(if $(V),,-s) \
	    -f '$(build)/nginx/Makefile' -C '$(nginx_tree)' modules
	@cp $(BUILD)/nginx/ngx_http_realtime_module.so $@.new
	@mv -f $@.new $@


# Tests

$(BUILD)/test/%: $(BUILD)/obj/%.o $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(RT_LDFLAGS) $(LDFLAGS) -o $@ $< $(ARCHIVE) \
	    $(shell pkg-config --libs cmocka) $(LIB_LIBS)

check: $(TESTS)
	@STORE='$(STORE)' scripts/check $(BUILD)/check $(TESTS)

test:
	@scripts/test

run:
	@exec scripts/run


# Variants and tools for developers

lint: $(BUILD_ID) $(BUILD)/compile_commands.json
	@BUILD='$(build)' scripts/lint

format:
	@scripts/lint --format

asan:
	@scripts/build-asan

valgrind: all
	@scripts/valgrind

fuzz: $(BUILD_ID)
	@BUILD='$(build)' CORE_SRCS='$(CORE_SRCS)' FUZZ_SRCS='$(FUZZ_SRCS)' LIBS='$(LIB_LIBS)' \
	    CFLAGS='$(LIB_CFLAGS)' scripts/fuzz '$(FUZZ)' '$(or $(FUZZ_SECONDS),60)'

bench: all
	@bench/run

# DATA: a folder of development data, see docs/faq.md; it is no part of the project
faq-eval: $(BUILD)/realtime-faq
	@scripts/faq-eval $(BUILD)/realtime-faq '$(or $(DATA),$(error faq-eval: give DATA=<folder>))'

compile_commands: $(BUILD)/compile_commands.json

$(BUILD)/compile_commands.json: $(BUILD)/cflags $(BUILD)/sources $(BUILD)/nginx.inputs
	@scripts/compile-commands '$(CC) $(RT_CFLAGS) $(CPPFLAGS) $(CFLAGS)' '$(nginx_tree)' \
	    '$(build)' $(CORE_SRCS) $(TEST_SRCS) $(TOOL_SRCS) -- $(MODULE_SRCS) > $@.new
	@mv -f $@.new $@


# Files are copied beside their place and renamed into it, since nginx may run with the old ones.

define put
@install -d '$(DESTDIR)$(2)'
$(call say,PUT,'$(DESTDIR)$(2)/$(notdir $(1))')
$(Q)install -m $(3) $(1) '$(DESTDIR)$(2)/.$(notdir $(1)).new'
@mv -f '$(DESTDIR)$(2)/.$(notdir $(1)).new' '$(DESTDIR)$(2)/$(notdir $(1))'

endef

install: all
	$(call put,$(BUILD)/$(LIB_SONAME),$(LIBDIR),0644)
	$(call put,$(MODULE),$(MODULESDIR),0644)
	$(foreach t,$(TOOLS),$(call put,$(t),$(BINDIR),0755))
	$(foreach f,$(wildcard nginx-conf/*.conf nginx-conf/*.json),$(call put,$(f),$(EXAMPLEDIR),0644))
	$(foreach f,$(MAN_PAGES),$(call put,$(f),$(MANDIR)/man1,0644))
	@echo "installed: load_module $(MODULESDIR)/$(notdir $(MODULE));"

uninstall:
	rm -f '$(DESTDIR)$(LIBDIR)/$(LIB_SONAME)' '$(DESTDIR)$(MODULESDIR)/$(notdir $(MODULE))' \
	    $(foreach t,$(TOOLS),'$(DESTDIR)$(BINDIR)/$(notdir $(t))') \
	    $(foreach f,$(MAN_PAGES),'$(DESTDIR)$(MANDIR)/man1/$(notdir $(f))')
	rm -rf '$(DESTDIR)$(EXAMPLEDIR)'

clean:
	rm -rf '$(build)'

-include $(CORE_OBJS:.o=.d) $(TOOL_OBJS:.o=.d) $(TEST_OBJS:.o=.d)
