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

.DEFAULT_GOAL := help
.PHONY: help build test demo lab lint fuzz bench bench-bpf bench-live bench-publish bench-ingest assets stories golden bpf clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the static programs bin/stillwatch-sensor and bin/stillwatch-collector
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/stillwatch-sensor ./sensor
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/stillwatch-collector ./collector

demo: build ## show it all in the browser (ONCE=1: check that every alert arrives, and end)
	@bin/stillwatch-collector demo --sensor bin/stillwatch-sensor --stories scripts/stories/testdata $(if $(ONCE),--once)

lab: build ## a span port in network namespaces, intruders, and the sensor before them (as root; ONCE=1: check that every alert comes, and end)
	@$(GO) build -o bin/lab ./scripts/lab
	@bin/lab run $(LABFLAGS) $(if $(ONCE),--once)

test: ## format, vet, staticcheck, errcheck and every test under the race detector (TESTFLAGS=-short for less)
	@scripts/test $(TESTFLAGS)

lint: ## gofmt, go vet, staticcheck and errcheck alone
	@scripts/lint

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@scripts/fuzz $(FUZZTIME)

bench: ## replay generated traces RUNS (5) times beside tcpdump; writes a table in Markdown
	@scripts/bench $(RUNS)

bench-live: ## cost and loss at fixed rates on a cable, beside tcpdump and dumpcap (as root; RATES, SECONDS); writes a table in Markdown
	@scripts/bench-live $(RATES) $(SECONDS)

bench-publish: ## spool, drain and latency to real Kafka, three times each (needs Java and Maven)
	$(GO) test -run '^$$' -bench 'SpoolAppend|Drain|Acknowledged' -benchtime 3s -count 3 ./sensor/internal/publish
	$(GO) test -run '^$$' -bench 'PacketTo' -benchtime 1x -count 3 ./sensor

bench-bpf: ## nanoseconds that the kernel's programs take for a packet, three times (needs root)
	$(GO) test -run '^$$' -bench 'Program$$' -benchtime 1000000x -count 3 ./bpf
	$(GO) test -run '^$$' -bench ProgramSweep -benchtime 20x -count 3 ./bpf

bpf: ## compile the programs of the kernel anew (bpf/*.o; needs Debian's clang-14, llvm-14, libbpf-dev)
	C_INCLUDE_PATH=/usr/include/$(shell uname -m)-linux-gnu $(GO) generate ./bpf

assets: ## make the embedded data files anew from their public sources
	@scripts/assets/build

stories: ## make the story captures anew (scripts/stories/testdata)
	$(GO) run ./scripts/stories -o scripts/stories/testdata

golden: ## write what the program prints into help texts, README and stories anew, to be read before it is committed
	$(GO) test ./sensor -run 'TestHelp|TestReadme|TestStoriesAreToldAsExpected' -args update

bench-ingest: ## alerts a second into the collector's database
	$(GO) test -run XXX -bench Ingest -benchtime 50x ./collector/internal/store
	GOGC=400 $(GO) test -run XXX -bench Ingest -benchtime 3x ./collector/internal/consume

clean: ## remove what was built and the cached traces
	rm -rf bin .cache
