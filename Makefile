# make help lists the targets.

GO          ?= go
# A tag names a release; without one the source's own version stands.
VERSION     ?= $(patsubst v%,%,$(shell git describe --tags --dirty 2>/dev/null))
# The same source gives the same binary: no paths, no C.
BUILD_FLAGS := -trimpath -ldflags '-s -w$(if $(VERSION), -X main.version=$(VERSION))'
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

FUZZTIME    ?= 2s
# Limits of one run of go test: far above what it takes, so that a hang ends with all stacks.
TEST_LIMIT  ?= 8m

# Tests of whole processes beside a real redis-server; all other packages run under the race detector.
INTEGRATION := ./integration/...
UNIT         = $(shell $(GO) list ./... | grep -v '/integration')

.DEFAULT_GOAL := build
.PHONY: help build run test test-quick test-deps lint fmt-check vet staticcheck unit fuzz fuzz-short sim integration bench bench-quick bench-go clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1	/' | expand -t 14

build: ## bin/redoubt
	CGO_ENABLED=0 $(GO) build $(BUILD_FLAGS) -o bin/redoubt ./cmd/redoubt

run: build ## build, and run three nodes on this machine (ports 6379 to 6381, data in ./data)
	bin/redoubt dev

test: test-deps lint unit fuzz-short integration ## everything that CI runs
	@echo "make test: all passed"

test-quick: fmt-check vet ## formatting, vet and the short unit tests, without the race detector
	$(GO) test -short -timeout $(TEST_LIMIT) $(UNIT)

test-deps: ## install what the tests need beside Go, or say what is missing
	scripts/test-deps.sh

lint: fmt-check vet staticcheck ## formatting, vet and staticcheck

fmt-check:
	@files=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go' 2>/dev/null || find . -name '*.go')); \
	if [ -n "$$files" ]; then echo "gofmt is needed for:" $$files >&2; exit 1; fi

vet:
	$(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...

unit: ## unit tests with the race detector, fuzz seeds and simulated clusters among them
	CGO_ENABLED=1 $(GO) test -race -timeout $(TEST_LIMIT) $(UNIT)

fuzz: ## every fuzz target for FUZZTIME
	scripts/fuzz.sh $(FUZZTIME)

fuzz-short: ## the parser's, entries', calls' and snapshots' targets for FUZZTIME; the seeds of all run as unit tests
	scripts/fuzz.sh $(FUZZTIME) ./resp ./fsm ./transport

sim: ## simulated clusters under virtual time, with new seeds
	$(GO) test -count=1 -timeout $(TEST_LIMIT) ./cluster

integration: test-deps ## whole clusters of real processes, and the comparison with redis-server
	$(GO) test -count=1 -timeout $(TEST_LIMIT) $(INTEGRATION)

BENCHFLAGS ?=
bench: ## redoubt beside Redis, about 10 minutes; needs redis-server and redis-benchmark 7.0; BENCHFLAGS="-o bench.md"
	$(GO) run ./integration/bench $(BENCHFLAGS)

bench-quick: ## the same in about 80 seconds
	$(GO) run ./integration/bench -quick $(BENCHFLAGS)

bench-go: ## Go benchmarks of all packages
	$(GO) test -run '^$$' -bench . -benchmem -timeout 30m $(UNIT)

clean: ## remove what was built
	rm -rf bin
