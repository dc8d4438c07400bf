# The front door. On a fresh Debian 12 with git and make, two commands are enough:
#
#   make demo     fetches a few GB through a 10 Gbit/s link on this machine and shows the figures
#   make test     builds and runs every unit and end-to-end test
#
# Each installs the packages it misses (tools/packages-debian-12.txt; asks for root through sudo).

PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
# End-to-end tests wait for each other's processes and for time to pass.
TEST_JOBS ?= $(shell expr 2 \* $(JOBS))
FUZZ_SECONDS ?= 20
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help build demo test check bench format install asan tsan fuzz clean packages-%

help:
	@echo 'make demo       fetch a few GB through a 10 Gbit/s link on this machine, show the figures'
	@echo 'make test       build, run every unit and end-to-end test'
	@echo 'make check      make test, formatting, lint, layering'
	@echo 'make bench      measure beside scp, rsync, SMB, NFS, ... (BENCH="ROW..." for some rows)'
	@echo 'make asan       unit and end-to-end tests under AddressSanitizer and UBSan'
	@echo 'make tsan       the same under ThreadSanitizer'
	@echo 'make fuzz       every fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS) each'
	@echo 'make format     format the source'
	@echo 'make install    binary, man page, shell completions (PREFIX=$(PREFIX), DESTDIR)'
	@echo 'make clean      remove build/'

# packages-build+test installs what the groups build and test miss.
packages-%:
	@tools/install-packages $(subst +, ,$*)

# $(call build,PRESET,TARGETS): configure (quick when nothing changed) and build.
define build
	@cmake --preset $(1) >build/$(1).configure.log 2>&1 || { cat build/$(1).configure.log; exit 1; }
	@cmake --build --preset $(1) --parallel $(JOBS) $(if $(2),--target $(2))
endef

build: packages-build | build/
	$(call build,release)

build/:
	@mkdir -p build

demo: packages-build+lab | build/
	$(call build,release,wormhole)
	@lab/demo

test: packages-build+test+lab | build/
	$(call build,release)
	@ctest --preset release --parallel $(TEST_JOBS)

asan: packages-build+test+lab+clang | build/
	$(call build,asan)
	@tools/with-sanitizer-options ctest --preset asan --parallel $(TEST_JOBS)

tsan: packages-build+test+lab+clang | build/
	$(call build,tsan)
	@tools/with-sanitizer-options ctest --preset tsan --parallel $(TEST_JOBS)

fuzz: packages-build+clang | build/
	$(call build,fuzz)
	@tools/run-fuzzers build/fuzz $(FUZZ_SECONDS)

check: packages-check test
	@tools/format --check
	@tools/lint build/release

bench: packages-build+lab+peers | build/
	$(call build,release)
	@lab/bench $(BENCH)

format: packages-check
	@tools/format

install: build
	@DESTDIR='$(DESTDIR)' cmake --install build/release --prefix '$(PREFIX)'

clean:
	rm -rf build
