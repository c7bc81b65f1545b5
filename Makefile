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
.PHONY: help build run test test-quick test-deps lint fmt-check vet staticcheck unit fuzz fuzz-short sim flips integration chaos bench bench-quick bench-go clean

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

# What shows a fault and its cure, or that the harness sees a fault, breaks nodes on purpose; the long simulations go over the
# same code as the short ones. They run without the detector, which makes them six times as slow, and so do the scripts and
# programs on bare machines, which are one goroutine's.
UNRACED := TestHarness|TestCure|TestStuck|TestProgramsReach|TestScripts$$|TestHostileProgram|TestHostileSource
unit: ## unit tests with the race detector, fuzz seeds and simulated clusters among them
	CGO_ENABLED=1 $(GO) test -race -timeout $(TEST_LIMIT) -skip '$(UNRACED)' $(UNIT)
	$(GO) test -timeout $(TEST_LIMIT) -run '$(UNRACED)|TestChaos|Moved|TestBookSurvives|TestLeaderFoundByLog' ./cluster ./fsm ./fsm/internal/lua

fuzz: ## every fuzz target for FUZZTIME
	scripts/fuzz.sh $(FUZZTIME)

fuzz-short: ## the parser's, entries', calls' and snapshots' targets for FUZZTIME; the seeds of all run as unit tests
	scripts/fuzz.sh $(FUZZTIME) ./resp ./fsm ./transport

# SIM_SEEDS histories of SIM_MINUTES virtual minutes each; how long that takes stands in docs/TESTING.md.
SIM_SEEDS   ?= 200
SIM_MINUTES ?= 10
SIM_LIMIT   ?= 6h
sim: ## simulated clusters under virtual time: SIM_SEEDS new seeds of SIM_MINUTES each
	REDOUBT_SIM_RUNS=$(SIM_SEEDS) REDOUBT_SIM_MINUTES=$(SIM_MINUTES) \
	$(GO) test -count=1 -timeout $(SIM_LIMIT) -run '^Test(Chaos$$|Cure|Stuck)' ./cluster

FLIPS ?= 1000
flips: ## FLIPS random bit flips in every kind of file of a data directory, and its last record cut at every byte
	REDOUBT_FLIPS=$(FLIPS) $(GO) test -count=1 -v -timeout $(TEST_LIMIT) -run 'BitFlips|Torn' ./cluster/storage

integration: test-deps ## whole clusters of real processes, and the comparison with redis-server
	$(GO) test -count=1 -parallel 4 -timeout $(TEST_LIMIT) $(INTEGRATION)

# For instance: make conformance CONFORMANCE_FLAGS="-quick -floor 90 -o report.md", or CONFORMANCE_FLAGS="unit/type/string".
CONFORMANCE_FLAGS ?=
.PHONY: conformance
conformance: test-deps ## Redis's own test suite against three nodes, beside what passes on redis-server
	$(GO) run ./integration/conformance $(CONFORMANCE_FLAGS)

CHAOS_MINUTES ?= 10
# For instance: make chaos CHAOS_MINUTES=1 CHAOS_FLAGS="-nodes 5 -faults power-cut,mixed". "-h" tells all.
CHAOS_FLAGS   ?=
chaos: ## faults and checked workloads on real processes for CHAOS_MINUTES; with namespaces as root
	$(GO) run ./integration/chaos -minutes $(CHAOS_MINUTES) $(CHAOS_FLAGS)

BENCHFLAGS ?=
.PHONY: bench-deps bench-others bench-growth bench-compare bench-test
bench: ## redoubt beside Redis and etcd, about 20 minutes; needs redis-server and redis-benchmark 7.0; BENCHFLAGS="-o bench.md"
	$(GO) run ./integration/bench $(BENCHFLAGS)

bench-quick: ## the same in about 2 minutes
	$(GO) run ./integration/bench -quick $(BENCHFLAGS)

bench-deps: ## install what only the benchmarks need: etcd
	integration/bench/deps.sh

bench-others: ## latency under a snapshot, memory, restart and failover, about 25 minutes
	for mode in snapshot memory restart failover; do $(GO) run ./integration/bench -mode $$mode $(BENCHFLAGS) || exit 1; done

bench-growth: ## cost by nodes, values, connections and keys, about 25 minutes; pictures into docs/performance
	for by in nodes values conns keys; do $(GO) run ./integration/bench -growth $$by -svg docs/performance $(BENCHFLAGS) || exit 1; done

bench-go: ## Go benchmarks of all packages
	$(GO) test -run '^$$' -bench . -benchmem -timeout 30m $(UNIT)

bench-compare: ## Go benchmarks of the working tree beside those of BASE (default HEAD~1), by benchstat; PKGS, BENCH, COUNT narrow it
	integration/bench/compare.sh

bench-test: ## vet and tests of the load generator for etcd, which is a module of its own
	cd integration/bench/etcd && $(GO) vet ./... && $(GO) test ./...

clean: ## remove what was built
	rm -rf bin
