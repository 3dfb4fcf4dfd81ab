# make demo      the agent and the reference portal on this machine; Ctrl-C ends both
# make test      everything: lint, Go tests, short fuzzing, the page's client and the portal in a real browser
# make container the packages on a machine of their own: a Debian that boots in a container (as root; the system is made once and kept)
# make packages  deb and rpm in dist/
# make windows   programs and installer for Windows in dist/windows, tried under Wine
# make bench     the performance goals beside their yardsticks, as a table

GO ?= go
export CGO_ENABLED = 1
# The browser is Debian's; npm packages must not fetch one of their own.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD = 1

.PHONY: build demo deps lint unit fuzz js e2e test container packages windows bench clean

build:
	$(GO) build -trimpath -o bin/pero ./agent
	$(GO) build -trimpath -o bin/pero-portal ./portal
	@if pkg-config --exists gtk+-3.0 ayatana-appindicator3-0.1 x11; then \
		$(GO) build -trimpath -o bin/pero-tray ./agent/tray; \
	else \
		echo "pero-tray is left out: GTK 3 and libayatana-appindicator are not here (make deps)"; \
	fi
	@if pkg-config --exists gtk+-3.0 x11; then \
		$(GO) build -trimpath -o bin/pero-window ./agent/window/prompter; \
	else \
		echo "pero-window is left out: GTK 3 is not here (make deps); a pinentry asks instead"; \
	fi

demo: build
	@./portal/demo

deps:
	./.ci/deps
	cd api/js && npm ci --no-audit --no-fund --silent
	cd portal/e2e && npm ci --no-audit --no-fund --silent

lint:
	./.ci/lint

unit:
	@./.ci/untested
	$(GO) test ./...

fuzz:
	./.ci/fuzz

js:
	cd api/js && npm test

e2e: build
	cd portal/e2e && npm test

container:
	PERO_CONTAINER=1 $(GO) test -count=1 -v ./installer/e2e

test: deps lint unit fuzz js e2e container

windows:
	./installer/deps windows
	./installer/windows/make
	PERO_WINDOWS=1 $(GO) test -count=1 -v -run 'Windows|Installer' ./installer/e2e

packages:
	./installer/deps packages
	./installer/packages

bench: deps build
	$(GO) run ./agent/bench

clean:
	rm -rf bin .work
