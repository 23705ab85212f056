# make run    build, start on https://localhost:8443 with generated calls, print a curl line
# make test   everything that CI runs; installs the Debian packages it needs when it may
# make check  format, vet, lint, known vulnerabilities, clean tree
# make bench  measure beside the yardsticks and write docs/benchmarks.md
# make lab    telephone calls through Kamailio and SIPp, and the rows that come of them (HEP and SIP=udp|tcp|tls,
#             LAB='--rport', '--b2bua', '--b2bua --pass-from', '--through sipp' or '--through baresip')
# make dist   the files of a release, into dist/: programs, packages, SBOM, checksums
# make torture  the long tiers of the tests (SCALE=20 by default: 1,000 kills, 300 power cuts, which need root and Linux,
#               20 million answers to three tenants)

SHELL := /bin/bash
export GOFLAGS := -buildvcs=false $(GOFLAGS)

BIN    := $(CURDIR)/.bin
SCALE  ?= 20
RACE   := $(shell command -v gcc >/dev/null 2>&1 && echo -race)
COMMIT := $(shell .ci/commit)

GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# Everything is tried whole without the race detector, which makes it five to thirteen times as
# slow, and a tenth of it (-short) with it. Left out with it are tests where one goroutine does all,
# and the program as a black box but for its busiest moments: many clients, sources and commands at
# once, floods, and kills under load.
ALONE  := ^Test(EveryFault|NoFalseAlarm|Damage|Sweep|EveryBitOfALog|FaultsOfOpening)$$
BUSY   := ^Test(Kill|PushKill|HearKill|Storms|Push|Tail|Admin|Connections|SendersAndClients|FewBodies|AutoInterrupted|TakenBackMeanwhile|HearWild|TenantsAreWalls)$$

.PHONY: build run dist test race race-busy sdk lab check bench torture fuzz update clean deps

build:
	CGO_ENABLED=0 go build -trimpath -ldflags "-X main.commit=$(COMMIT)" -o trunklog .

# The systems of a release besides this one's. With -trimpath 'make dist' finds much of it compiled.
OTHERS := linux/arm64 darwin/arm64 windows/amd64

dist:
	packaging/dist

# What is in .demo from another time goes on; 'make clean' begins anew.
run: build
	./trunklog serve --demo --data .demo

# The product's own tests, then the official clients against the real binary.
test: deps build
	go vet ./...
	go test -timeout 40m ./...
	$(MAKE) -j2 race race-busy
	cd sip/oracle && go vet ./... && go test ./...
	$(MAKE) fuzz FUZZTIME=2s FUZZLONG=12s
	$(MAKE) sdk

# The second mostly waits, so both run side by side.
race:
	go test $(RACE) -short -timeout 30m -skip '$(ALONE)' $$(go list ./... | grep -vE '/test/(bench|dist|e2e)$$')
race-busy:
	go test $(RACE) -short -timeout 20m -run '$(BUSY)' ./test/e2e

# The CLI for Microsoft 365 is 470 packages: it is installed when its lock file has changed.
M365 := test/sdk/m365/node_modules/.package-lock.json
$(M365): test/sdk/m365/package-lock.json
	cd test/sdk/m365 && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json

sdk: deps build $(M365)
	cd test/sdk/audiocodes && npm ci --no-audit --no-fund --loglevel=error
	cd test/sdk && npm ci --no-audit --no-fund --loglevel=error && go vet ./... && go test -timeout 10m ./...

deps:
	@.ci/deps node npm curl jq gcc nginx postgres tshark kamailio sipp baresip mkfs.ext4 python3-msal debootstrap rpm systemd-analyze systemd-nspawn

# A fresh trunklog, an SBC, Microsoft Teams on its one side and a carrier on the
# other; see test/lab/main.go.
HEP ?= tcp
SIP ?= tls
lab: build
	@.ci/deps kamailio sipp baresip
	@go run ./test/lab --trunklog ./trunklog --hep $(HEP) --sip $(SIP) $(LAB)

# Every fuzz target of the house, each for a while.
FUZZTIME ?= 30s
FUZZLONG ?= $(FUZZTIME)
fuzz:
	@.ci/fuzz $(FUZZTIME) $(FUZZLONG)

torture: deps build
	TRUNKLOG_SCALE=$(SCALE) go test -timeout 4h -skip '^TestTenantsAreWalls$$' ./...
	TRUNKLOG_SCALE=$$((5 * $(SCALE))) go test -timeout 4h -run '^TestTenantsAreWalls$$' ./test/e2e
	$(MAKE) fuzz FUZZTIME=10m

update:
	go test ./... -update

$(BIN)/gofumpt:
	GOBIN=$(BIN) go install $(GOFUMPT)
$(BIN)/golangci-lint:
	GOBIN=$(BIN) go install $(GOLANGCI)
$(BIN)/govulncheck:
	GOBIN=$(BIN) go install $(GOVULNCHECK)

# VULNDB names a folder with the Go vulnerability database, for machines that
# cannot reach it.
check: $(BIN)/gofumpt $(BIN)/golangci-lint $(BIN)/govulncheck
	@bad=$$(git ls-files '*.go' | xargs $(BIN)/gofumpt -l); if [ -n "$$bad" ]; then echo "gofumpt would change:"; echo "$$bad"; exit 1; fi
	@big=$$(git ls-files -z | xargs -0 -r stat --printf '%s %n\n' 2>/dev/null | awk '$$1 > 1000000'); if [ -n "$$big" ]; then echo "files of more than 1 MB, which nobody can read, do not belong here:"; echo "$$big"; exit 1; fi
	go vet ./...
	@for s in $(OTHERS); do echo "go vet for $$s"; CGO_ENABLED=0 GOFLAGS="$(GOFLAGS) -trimpath" GOOS=$${s%/*} GOARCH=$${s#*/} go vet ./... || exit 1; done
	$(BIN)/golangci-lint run ./...
	$(BIN)/govulncheck $(if $(VULNDB),-db file://$(VULNDB)) ./...
	go generate ./...
	@if [ -n "$$(git status --porcelain)" ]; then echo "the tree is not clean after go generate:"; git status --porcelain; exit 1; fi

bench: build
	@.ci/deps nginx postgres
	CGO_ENABLED=0 go run ./test/bench

clean:
	rm -rf trunklog .bin .demo dist test/sdk/node_modules test/sdk/audiocodes/node_modules test/sdk/m365/node_modules
