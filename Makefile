# Moonquake: everything that a person does with this tree. `make demo` and `make test` need nothing but Swift.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PREFIX ?= /usr/local
SWIFT_FLAGS := --explicit-target-dependency-import-check error

.PHONY: help setup build demo run test lab torture lint check release bench sanitize install clean

help: ## says what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## installs the missing Debian packages
	@scripts/setup.sh

build: setup ## builds the debug program
	swift build $(SWIFT_FLAGS)

demo: build ## runs a first experiment on a real service
	@scripts/demo.sh

run: demo

test: setup ## builds and runs every test
	swift build --build-tests $(SWIFT_FLAGS)
	scripts/test.sh

lab: setup ## runs the kernel suites in a real kernel, in one boot
	swift build --build-tests $(SWIFT_FLAGS)
	lab/suites.sh

torture: setup ## kills runner and agent a thousand times, and looks at what is left
	swift build --build-tests $(SWIFT_FLAGS)
	MOONQUAKE_TORTURE=$${MOONQUAKE_TORTURE:-1000} swift test --skip-build --filter '^EndToEndTests\.TortureTests'

lint: ## the formatter, the Lua linter, and the scripts and their tests against the program
	swift format lint --strict --recursive Sources Tests Package.swift
	luacheck --quiet scripts stdlib
	.build/debug/moonquake check scripts/experiments/*.{lua,yaml,json}
	.build/debug/moonquake gameday check scripts/gamedays/*.lua
	.build/debug/moonquake test scripts/tests/*_test.lua stdlib/tests/*_test.lua

check: test lint ## what CI runs

release: setup ## builds the release program
	swift build -c release $(SWIFT_FLAGS) --static-swift-stdlib --product moonquake
	swift build -c release $(SWIFT_FLAGS) --static-swift-stdlib --product moonquake-clock
	@# The hook of the crash tests is in debug builds only.
	@! grep -qa MOONQUAKE_CRASH .build/release/moonquake

bench: release ## measures everything, beside peers: one table, ratios first
	bench/run.py .build/release/moonquake

# Nightly, not for each change: an hour, and as much room again as .build (docs/decisions/0038).
sanitize: setup ## every test with the address sanitizer
	swift build --build-tests $(SWIFT_FLAGS) --sanitize=address --scratch-path .build-address
	scripts/sanitize.sh

install: release ## installs a release build below PREFIX (/usr/local)
	install -D -s -m 755 .build/release/moonquake $(DESTDIR)$(PREFIX)/bin/moonquake
	install -D -m 644 .build/release/libmoonquake-clock.so $(DESTDIR)$(PREFIX)/lib/moonquake/libmoonquake-clock.so
	mkdir -p $(DESTDIR)$(PREFIX)/share/moonquake/stdlib
	cp -R stdlib/_meta stdlib/moonquake $(DESTDIR)$(PREFIX)/share/moonquake/stdlib/
	mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in scripts/systemd/*; do \
	  sed 's|/usr/local|$(PREFIX)|' "$$unit" > "$(DESTDIR)$(PREFIX)/lib/systemd/system/$$(basename "$$unit")"; \
	done

clean: ## removes what was built
	rm -rf .build .build-address .build-bench
