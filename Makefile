# Every target is one command; `make help` lists them. Only Go and make are needed for build, test, race, fuzz, bench and demo.

FUZZTIME ?= 0

# How the program is built, here and in .ci/dist: static, without paths of this machine, with the commit and its tag recorded.
BUILDFLAGS = -tags=grpcnotrace -trimpath -buildvcs=auto '-ldflags=-s -w'

# All but test/e2e, which runs the program as it is built and takes minutes.
PACKAGES = $(shell go list ./... | grep -v /test/e2e$$)

.PHONY: help build install uninstall test e2e lint race fuzz bench demo demo-shell picture dist soak mutate

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

BIN = bin/sandkeeper
PREFIX = /usr/local

build: ## build bin/sandkeeper, a static binary
	CGO_ENABLED=0 go build $(BUILDFLAGS) -o $(BIN) .

install: ## install program, manual page, completions and units below PREFIX (/usr/local); DESTDIR goes before it
	@test -x bin/sandkeeper || { echo "make build comes first: as root nothing is built" >&2; exit 1; }
	.ci/tree bin/sandkeeper $(PREFIX) $(DESTDIR)

uninstall: ## remove what make install has put there; backups and settings stay
	cd $(DESTDIR)$(PREFIX) && rm -f bin/sandkeeper share/man/man1/sandkeeper.1.gz share/bash-completion/completions/sandkeeper \
		share/zsh/site-functions/_sandkeeper share/fish/vendor_completions.d/sandkeeper.fish lib/systemd/*/sandkeeper-backup.*
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/sandkeeper

test: ## vet everything and test all but the whole program (make e2e); what this machine lacks (Docker, a real openshell) is skipped by name
	go vet ./... && go test -timeout 20m $(PACKAGES) && .ci/lacks

e2e: ## whole-program tests against real Docker, stand-in gateways and real openshell command lines
	go test -count=1 -timeout 45m -parallel 6 -v ./test/e2e/...

race: ## the same tests with the race detector, long rounds shortened; diagnose and drift are pure and test/docs reads pages, nothing in them runs beside anything
	go test -race -short -timeout 40m $(filter-out sandkeeper/diagnose sandkeeper/drift sandkeeper/test/docs,$(PACKAGES))

lint: ## formatting, static analysis, layers; tools are built from tools/go.mod
	go build -C tools -o ../.cache/tools/ mvdan.cc/gofumpt github.com/golangci/golangci-lint/v2/cmd/golangci-lint && .cache/tools/gofumpt -l . | awk '{ print; unformatted = 1 } END { exit unformatted }' >&2 && .cache/tools/golangci-lint run ./...

fuzz: ## run every fuzz target over its seeds, or for FUZZTIME each (make fuzz FUZZTIME=60s)
	.ci/fuzz $(FUZZTIME)

bench: ## benchmarks; results with the machine are kept in docs/benchmarks.md
	go run ./test/bench

demo: ## show agreement, a backup, and a refusal on a made-up host; cleans up after itself
	@echo "Compiling sandkeeper with its libraries (the first time this takes a minute or two), then the stand-ins for OpenShell's programs."
	@$(MAKE) --no-print-directory build
	@GOFLAGS="$$GOFLAGS $(BUILDFLAGS)" CGO_ENABLED=0 go run ./test/demo bin/sandkeeper

demo-shell: build ## a shell on the made-up host of the demo, to try commands in; `exit` removes it
	@GOFLAGS="$$GOFLAGS $(BUILDFLAGS)" CGO_ENABLED=0 go run ./test/demo --shell bin/sandkeeper

picture: ## draw docs/demo-light.svg and docs/demo-dark.svg from what the demo prints (wants a container engine)
	SANDKEEPER_COLOR=always $(MAKE) --no-print-directory demo | go run ./test/picture

dist: ## make packages, tarballs, a Homebrew formula and checksums in dist/
	.ci/dist

soak: ## the long rounds in full: every bit flip, every kill at every stage, minutes of fuzzing (hours; wants root and Docker)
	SANDKEEPER_SOAK=1 SANDKEEPER_KILL_ROUNDS=all SANDKEEPER_HISTORIES=10000 go test -count=1 -timeout 6h ./backup/... ./upgrade ./gateway ./test/e2e/... && .ci/fuzz 60s

mutate: ## turn the lines that decide, one after the other, and see the tests fail; writes the table of docs/testing.md (an hour)
	go run ./test/mutate -page docs/testing.md
