# Everything a developer runs. `make help` lists the targets.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
BIN     := bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/meshstorm/meshstorm/internal/cli.Version=$(VERSION)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: build
build: $(BIN)/meshstorm ## Build bin/meshstorm

# Go decides itself what is stale; the first build compiles Istio.
.PHONY: $(BIN)/meshstorm
$(BIN)/meshstorm:
	@test -x $@ || echo "building meshstorm: the first build compiles Istio's own code and takes some minutes" >&2
	$(BUILD) -o $@ ./cmd/meshstorm

.PHONY: up
up: build ## Make a workspace of the example in .up/, generate, check, and say what was made
	@BIN='$(CURDIR)/$(BIN)/meshstorm' bash scripts/up

.PHONY: down
down: ## Stop what `make up` left running (today: nothing)
	@echo "nothing is running; .up/ keeps your workspace, make clean removes it"

.PHONY: clean
clean: down ## Remove .up/, bin/ and dist/
	rm -rf .up $(BIN) dist

.PHONY: deps
deps: ## Install what tests need on Debian and Ubuntu
	@bash scripts/deps install

.PHONY: test
test: ## Run all tests (names what is missing on the machine first)
	@bash scripts/deps check
	bash scripts/test

.PHONY: race
race: ## Run the tests of all packages without Istio under the race detector
	@bash scripts/deps check
	$(GO) test -race $$(bash scripts/packages plain)

.PHONY: fuzz
FUZZTIME ?= 60s
fuzz: ## Fuzz every target for FUZZTIME (60s) each
	bash scripts/fuzz $(FUZZTIME)

.PHONY: bench
bench: build ## Run the benchmarks, and time the whole program
	$(GO) test -run '^$$' -bench . -benchmem ./storm/... ./deploy/... ./topping/... ./manifest/... ./workspace/... \
	  ./route/... ./space/... ./check ./istio/... ./routetest/... ./compare/...
	BIN='$(CURDIR)/$(BIN)/meshstorm' bash bench/generate.sh
	BIN='$(CURDIR)/$(BIN)/meshstorm' bash bench/routes.sh

.PHONY: generate
generate: ## Write generated files anew: schemas and the example
	$(GO) generate ./...
	$(GO) run ./cmd/meshstorm generate examples/12st-mall

.PHONY: generated
generated: ## Check that generated files are up to date
	$(MAKE) --no-print-directory generate
	@test -z "$$(git status --porcelain -- deploy check docs examples)" || { echo "generated files are stale; commit what make generate writes:"; git status --short -- deploy check docs examples; exit 1; }
	$(GO) run ./internal/gen/licenses -out ''

.PHONY: lint
lint: ## gofmt, go vet and golangci-lint
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

.PHONY: release
release: ## Cross-build with checksums, SBOM and licences into dist/
	VERSION='$(VERSION)' bash scripts/release
