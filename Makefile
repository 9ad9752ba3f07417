# Pinflow. `make` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

COMMIT  := $(shell scripts/commit)
LDFLAGS := -s -w -X github.com/pinflow/pinflow/internal/config.Commit=$(COMMIT)
BIN     := bin

# Knobs of demo and stack.
DATA ?= .local#          directory of the state
POSTS ?=#                directory with pin.jsonl, geo.jsonl, user.jsonl, posted in place of the built-in posts; of bench-sql: numbers
OUT ?=#                  directory for answers.json
EXIT ?=#                 1: end after the answers
PORT_OFFSET ?= 0#        added to every default port
DATA := $(strip $(DATA))
comma := ,

.PHONY: help demo stack build test test-units test-e2e test-silver chaos conformance-databricks conformance-sql conformance-rows conformance-kafka conformance-kinesis fuzz lint vulncheck bench bench-sql bench-landing bench-gateway bench-airflow clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  knobs of demo: EXIT=1 POSTS=dir OUT=dir DATA=dir PORT_OFFSET=n"

demo: build ## the main job on an embedded stack: post, run the DAG, show the answers
	@exec $(BIN)/starter demo --data "$(DATA)" --posts "$(POSTS)" --out "$(OUT)" --port-offset $(PORT_OFFSET) $(if $(filter 1 yes true,$(EXIT)),--exit)

stack: build ## the embedded stack alone (Temporal, Kafka, S3, Kinesis, workspace)
	@exec $(BIN)/local stack --data "$(DATA)" --port-offset $(PORT_OFFSET)

build: ## build all programs into bin/
	@scripts/check-tools
	@scripts/build . ./starter ./workers ./gateway -- -ldflags "$(LDFLAGS)" -o $(CURDIR)/$(BIN)/
	@scripts/build local . -- -ldflags "$(LDFLAGS)" -o $(CURDIR)/$(BIN)/local

# Tests run with the race detector, whose second of sleep at the end of each program is left out.
# go vet has looked at all packages before, so that go test need not vet its own, instrumented
# build of them once more. Packages without tests are built for the end-to-end tests, and not with
# -race, which takes minutes for Temporal's server.
GOTEST := GORACE=atexit_sleep_ms=10 go test -race -vet=off
TESTED := go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...

test: ## all tests, with the race detector; about 20 minutes on two cores, once built
	@scripts/check-tools
	@scripts/test-records
	go vet ./... && (cd local && go vet ./...)
	@$(MAKE) test-units test-e2e

# Everything below the whole system. -count=1: Go cannot see that local/integration builds the
# gateway, and would take the result of an older one.
test-units:
	packages=$$($(TESTED)); $(GOTEST) -timeout 20m $$packages
	cd local; packages=$$($(TESTED) | grep -v /e2e$$); $(GOTEST) -count=1 -timeout 20m $$packages

# Whole systems, after the other tests and not beside them: one test measures times.
test-e2e:
	cd local && $(GOTEST) -count=1 -timeout 40m ./e2e

# DURATION is how long faults are injected; test-e2e does it for 60 s. SEED injects in the same order as
# a run that failed, which has printed its seed.
chaos: ## records and runs while everything fails: nothing is lost or doubled (DURATION=10m SEED=n)
	cd local && CHAOS_DURATION=$(or $(DURATION),10m) CHAOS_SEED=$(SEED) go test -count=1 -timeout 10h -v -run 'TestChaos$$' ./e2e

# SEED repeats the sequences of a run that failed: it prints its seed.
test-silver: ## silver after many random sequences of runs, reruns and kills (SEQUENCES=500)
	cd local && go test ./enginetest -run TestSilver -v -count=1 -timeout 60m -rapid.checks $(or $(SEQUENCES),500) $(if $(SEED),-rapid.seed $(SEED))

conformance-databricks: build ## Python's Databricks SDK and Airflow's operators against the embedded workspace
	@scripts/conformance-databricks

# The tests with the tag conformance: scripts/install-spark installs what they need, once. SEED
# repeats the random sequences of a run that failed: it prints its seed.
conformance-sql: conformance-rows ## the notebooks and the daily DAG on Spark and Delta Lake: the same rows as in the workspace; UPDATE=1 writes docs/conformance.md
	home=$$(scripts/install-spark); export PINFLOW_SPARK=$$home; cd local; \
		$(GOTEST) -tags conformance -count=1 -timeout 15m -v -run TestSpark ./e2e

# The rows alone, without the daily DAG.
conformance-rows:
	@scripts/check-tools
	@scripts/test-records
	home=$$(scripts/install-spark); export PINFLOW_SPARK=$$home; cd local; \
		$(GOTEST) -tags conformance -count=1 -timeout 30m -v ./spark $(if $(SEQUENCES),-rapid.checks $(SEQUENCES)) $(if $(SEED),-rapid.seed $(SEED)) \
			$(if $(filter 1 yes true,$(UPDATE)),-args -update)

conformance-kafka: build ## real Apache Kafka: secured listeners, transactions, the daily DAG
	@scripts/check-tools
	@scripts/test-records
	home=$$(scripts/install-kafka); export PINFLOW_KAFKA_HOME=$$home; cd local; \
		go test -tags conformance -count=1 -timeout 10m -v ./apachekafka && \
		go test -tags conformance -count=1 -timeout 10m -v -run 'TestApacheKafka' ./e2e

conformance-kinesis: ## the stack's Kinesis and those of others, by one suite; UPDATE=1 writes docs/conformance-kinesis.md
	@scripts/check-tools
	home=$$(scripts/install-kinesis-peers); export PINFLOW_KINESIS_PEERS=$$home; cd local; \
		go test -tags conformance -count=1 -timeout 15m -v -run 'TestConformance|TestPeers' ./kinesis $(if $(filter 1 yes true,$(UPDATE)),-args -update)

fuzz: ## each fuzz test for 20 s (FUZZTIME)
	@scripts/fuzz $(or $(FUZZTIME),20s)

vulncheck: ## known vulnerabilities of dependencies, by govulncheck; needs vuln.go.dev or GOVULNDB
	@scripts/vulncheck

lint: ## golangci-lint, workflowcheck and tidy modules, as CI does
	scripts/lint

bench: ## benchmarks; the table of the orchestrator comes last (BENCH_OUT=file keeps it)
	@scripts/check-tools
	go test -run '^$$' -bench . -benchmem ./...
	cd local && go test -run '^$$' -bench . -benchmem $$(go list ./... | grep -v -e /bench -e /e2e$$)
	cd local && $(if $(BENCH_OUT),BENCH_OUT="$(abspath $(BENCH_OUT))") go test -run '^$$' -bench . -benchtime 1x -timeout 30m ./bench

# POSTS: posts a topic, one or more sizes. ENGINES: bare, duckdb, spark. A million of them takes 4 minutes.
bench-sql: ## the notebooks on a million posts, workspace against Spark (POSTS=100000,1000000 ENGINES=bare,duckdb,spark)
	@scripts/check-tools
	engines=$(or $(ENGINES),bare$(comma)duckdb$(comma)spark); case $$engines in *spark*) home=$$(scripts/install-spark); export PINFLOW_SPARK=$$home ;; esac; \
		cd local && go run ./bench/sql --posts "$(or $(POSTS),1000000)" --engines "$$engines" $(if $(BENCH_OUT),--out "$(abspath $(BENCH_OUT))")

bench-gateway: ## posts of one record through the gateway, franz-go and others: posts a second, latency, CPU; 3 minutes; needs Linux
	@scripts/check-tools
	@scripts/build . ./gateway -- -ldflags "$(LDFLAGS)" -o $(CURDIR)/$(BIN)/
	cd local && go build -o ../$(BIN)/bench-gateway ./bench/gateway
	$(BIN)/bench-gateway --gateway $(BIN)/gateway $(if $(BENCH_OUT),--out "$(abspath $(BENCH_OUT))")

# RECORDS: records of the smallest measurement; the others have 4 and 16 times as many.
bench-landing: ## landing against a bare read and Kafka Connect, on Apache Kafka; needs Java and Maven; about 3 minutes
	@scripts/check-tools
	home=$$(scripts/install-kafka) && connect=$$(scripts/install-connect) && cd local && \
		PINFLOW_KAFKA_HOME=$$home PINFLOW_CONNECT_HOME=$$connect PINFLOW_BENCH_RECORDS="$(or $(RECORDS),100000)" $(if $(BENCH_OUT),BENCH_OUT="$(abspath $(BENCH_OUT))") \
		go test -tags conformance -count=1 -v -timeout 20m -run TestLanding ./bench/landing

bench-airflow: build ## the daily DAG by Pinflow and by Airflow on one workspace: time and memory, 7 minutes; needs Linux
	@scripts/bench-airflow

clean: ## remove programs and the state of the embedded stack
	@scripts/clean "$(BIN)" "$(DATA)"
