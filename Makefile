# SPDX-License-Identifier: Apache-2.0
# `make` alone lists the targets.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
COMMIT   ?= $(shell git rev-parse --verify --quiet HEAD 2>/dev/null)
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
FUZZTIME ?= 10s
RUNS     ?= 5
RATES    ?= 100000,400000,800000
SECONDS  ?= 10

# All programs are built alike, so that no package is compiled twice. The race detector needs cgo: scripts/test turns it on.
export CGO_ENABLED := 0
export GOFLAGS     := $(GOFLAGS) -trimpath

.DEFAULT_GOAL := help
.PHONY: help build test demo lab lint fuzz bench bench-bpf bench-live bench-publish bench-ingest robustness assets assets-check stories golden evaluate fit-identity bpf clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the static programs bin/stillwatch-sensor and bin/stillwatch-collector
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/stillwatch-sensor ./sensor
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/stillwatch-collector ./collector

demo: build ## run everything and serve the console (ONCE=1: check that every alert arrives, and exit)
	@bin/stillwatch-collector demo --sensor bin/stillwatch-sensor --stories scripts/stories/testdata $(if $(ONCE),--once)

lab: build ## run a mirror port in network namespaces with attackers and the sensor (as root; ONCE=1: check that every alert is raised, and exit)
	@$(GO) build -o bin/lab ./scripts/lab
	@bin/lab run $(LABFLAGS) $(if $(ONCE),--once)

test: ## lint, then all tests under the race detector (TESTFLAGS=-short for fewer)
	@scripts/test $(TESTFLAGS)

lint: ## gofmt, go vet, staticcheck, errcheck and wording
	@scripts/lint

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@scripts/fuzz -t $(FUZZTIME)

bench: ## replay generated traces RUNS (5) times beside tcpdump; prints a Markdown table
	@scripts/bench $(RUNS)

bench-live: ## cost and loss at fixed rates, beside tcpdump and dumpcap (as root; RATES, SECONDS); prints a Markdown table
	@scripts/bench-live $(RATES) $(SECONDS)

bench-publish: ## spool, drain and latency to Apache Kafka, three times each (needs Java and Maven)
	$(GO) test -run '^$$' -bench 'SpoolAppend|Drain|Acknowledged' -benchtime 3s -count 3 ./sensor/internal/publish
	$(GO) test -run '^$$' -bench 'PacketTo' -benchtime 1x -count 3 ./sensor/internal/endtoend

bench-bpf: ## time per packet of the kernel programs, three times (needs root)
	$(GO) test -run '^$$' -bench 'Program$$' -benchtime 1000000x -count 3 ./bpf
	$(GO) test -run '^$$' -bench ProgramSweep -benchtime 20x -count 3 ./bpf

bpf: ## compile the kernel programs (bpf/*.o; needs Debian's clang-14, llvm-14, libbpf-dev)
	C_INCLUDE_PATH=/usr/include/$(shell uname -m)-linux-gnu $(GO) generate ./bpf

assets: ## build the embedded data files from pinned packages
	@scripts/assets/build

assets-check: ## build them again, and compare
	@scripts/assets/build --check

stories: ## regenerate the story captures (scripts/stories/testdata)
	$(GO) run ./scripts/stories -o scripts/stories/testdata

golden: ## regenerate help texts, tables of metrics and protocols, README screens, results of evasions and expected alerts; read the diff before you commit it
	$(GO) test ./sensor/internal/endtoend -run 'TestHelp|TestReadme|TestStoriesGiveTheExpected|TestEvasion$$' -args update
	$(GO) test -p 1 ./sensor/internal/metrics ./sensor/internal/publish ./sensor/internal/state ./collector/internal/serve ./collector/internal/consume -run TestMetricsPageIsCurrent -args update
	$(GO) test ./sensor/internal/dissect/dispatch -run TestProtocolsPageIsCurrent -args update
	$(GO) test ./sensor/internal/customrule -run TestRulesPageIsCurrent -args update

evaluate: build ## replay labelled captures, unchanged and with loss, one direction or duplicates; writes docs/evaluation.md
	$(GO) run ./scripts/evaluate --sensor bin/stillwatch-sensor --corpus "$(or $(STILLWATCH_CORPUS),../shared/corpus)"

fit-identity: ## measure identification on labelled captures (TRUTH, CAPTURES) and propose weights of evidence; prints Markdown tables
	$(GO) build -o bin/stillwatch-sensor ./sensor
	$(GO) run ./scripts/fit-identity --truth "$(TRUTH)" --captures "$(CAPTURES)" $(FITFLAGS)

bench-ingest: ## alerts per second into the collector database
	$(GO) test -run XXX -bench Ingest -benchtime 50x ./collector/internal/store
	GOGC=400 $(GO) test -run XXX -bench Ingest -benchtime 3x ./collector/internal/consume

robustness: build ## replay the stories as bad mirror ports would send them; prints a Markdown table (ROBUSTNESSFLAGS=-v: each difference)
	@$(GO) run ./scripts/robustness $(ROBUSTNESSFLAGS)

clean: ## remove build results and cached traces
	rm -rf bin .cache
