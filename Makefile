# Everything a developer runs. `make help` lists the targets.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
BIN     := bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/meshstorm/meshstorm/internal/cli.Version=$(VERSION)

# The same settings for builds, tests and lint, so that each package is compiled
# once; releases add -trimpath. The race detector needs cgo and sets it.
export CGO_ENABLED ?= 0
BUILD := $(GO) build -ldflags '$(LDFLAGS)'

# What the linked programs say of themselves.
LAB_LDFLAGS := -s -w -X github.com/meshstorm/meshstorm/lab/cli.Version=$(VERSION) \
  -X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 \
  -X k8s.io/component-base/version.gitMinor=37 -X k8s.io/component-base/version.gitTreeState=clean \
  -X istio.io/istio/pkg/version.buildVersion=1.31-20260827 -X istio.io/istio/pkg/version.buildGitRevision=eed52ebb66ad

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: build
build: $(BIN)/meshstorm $(BIN)/meshstorm-lab $(BIN)/meshstorm-pod ## Build meshstorm, the lab and the lab's pods into bin/

# Go decides itself what is stale; the first build compiles Istio.
.PHONY: $(BIN)/meshstorm
$(BIN)/meshstorm:
	@test -x $@ || echo "building meshstorm: the first build compiles Istio's own code and takes some minutes" >&2
	$(BUILD) -o $@ ./cmd/meshstorm

.PHONY: $(BIN)/meshstorm-lab
$(BIN)/meshstorm-lab:
	@test -x $@ || echo "building meshstorm-lab: the first build compiles Kubernetes' control plane and istiod, about ten minutes on two cores" >&2
	cd lab && $(GO) build -ldflags "$(LAB_LDFLAGS)" -o ../$@ ./cmd/meshstorm-lab

.PHONY: $(BIN)/meshstorm-pod
$(BIN)/meshstorm-pod:
	cd lab && $(GO) build -ldflags '-s -w' -o ../$@ ./cmd/meshstorm-pod

.PHONY: up
up: build ## Run the example in the lab: a workspace in .up/, generated, checked, applied
	@BIN='$(CURDIR)/$(BIN)/meshstorm' bash scripts/up

.PHONY: studio
studio: $(BIN)/meshstorm ## Run the studio for .up/12st-mall in the background, and print a URL that opens it once
	@BIN='$(CURDIR)/$(BIN)/meshstorm' bash scripts/studio start

.PHONY: down
down: ## Stop the lab and the studio
	@bash scripts/studio stop
	@test ! -x $(BIN)/meshstorm-lab || $(BIN)/meshstorm-lab down

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
race: ## Run the tests of all packages without Istio and Kubernetes under the race detector
	@bash scripts/deps check
	CGO_ENABLED=1 $(GO) test -race $$(bash scripts/packages plain)
	CGO_ENABLED=1 $(GO) -C lab test -race $$(bash scripts/packages lab-light)

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

.PHONY: web
web: ## Build the studio's page from web/ into studio/dist (needs Node.js 20)
	@bash scripts/web build

.PHONY: generate
generate: ## Write generated files anew: schemas, the API's description and the example
	$(GO) generate ./...
	$(GO) run ./cmd/meshstorm generate examples/12st-mall
	@bash scripts/web types

.PHONY: generated
generated: ## Check that generated files are up to date
	$(MAKE) --no-print-directory generate
	@test -z "$$(git status --porcelain -- deploy check docs examples studio web/src/api)" || { echo "generated files are stale; commit what make generate writes:"; git status --short -- deploy check docs examples studio web/src/api; exit 1; }
	$(GO) run ./internal/gen/licenses -out ''

.PHONY: lint
lint: ## gofmt, go vet and golangci-lint
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./... && $(GO) -C lab vet ./...
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...
	cd lab && $(GO) tool -modfile=../tools/go.mod golangci-lint run ./...

.PHONY: release
release: ## Cross-build with checksums, SBOM and licences into dist/
	VERSION='$(VERSION)' bash scripts/release
