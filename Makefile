# Everything below brings what it needs, see tests/tools/with_tools.py and tests/fleet. `make help` lists the targets.

PYTHON ?= python3
TOOLS = $(if $(CORE),FASTOPEN_CORE=$(CORE)) $(PYTHON) tests/tools/with_tools.py
OLDEST = $(shell sed -n 's/^requires_ansible: ">=\(.*\)"$$/\1/p' meta/runtime.yml)
GATES = lint,contract,prometheus,browser,site,package+sanity,unit netns molecule

.DEFAULT_GOAL = help
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: machine
machine:
	@$(PYTHON) tests/fleet/fleet bootstrap # who may not have a fleet is told before the tools are installed

.PHONY: demo
demo: machine ## start a fleet of containers, roll out over it, show what was gained (BOX=drop-data: and a network in the way; IMPLEMENTATION=rust, mixed)
	@$(TOOLS) python tests/demo/demo.py $(if $(BOX),--box $(BOX))

.PHONY: demo-down
demo-down: ## remove the fleet of containers
	@$(PYTHON) tests/fleet/fleet down

.PHONY: test
test: ## run all gates, and sum them up
	@$(PYTHON) tests/tools/gates.py $(GATES)

.PHONY: test-all
test-all: ## run the gates with the slow scenarios too
	@$(MAKE) test SLOW=1

.PHONY: lint
lint: ## yamllint, ansible-lint (production, strict), black, vermin (targets have Python 3.9), changelog fragments, module docs
	@$(TOOLS) yamllint --strict .
	@$(TOOLS) ansible-lint
	@$(TOOLS) black --quiet --check --diff plugins tests
	@$(TOOLS) vermin --quiet --no-tips --violations --target=3.9- plugins/modules plugins/module_utils
	@$(TOOLS) antsibull-changelog lint
	@$(TOOLS) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=self .

.PHONY: sanity
sanity: ## every ansible-test sanity test
	@$(TOOLS) python tests/tools/sanity.py

.PHONY: unit
unit: ## unit tests
	@$(TOOLS) pytest tests/unit

.PHONY: contract
contract: ## what documentation, defaults and tests promise each other
	@$(TOOLS) pytest tests/contract

.PHONY: prometheus
prometheus: ## alerts and metrics by Prometheus' own promtool (Debian's package, unpacked when missing)
	@$(TOOLS) pytest tests/prometheus

.PHONY: browser
browser: ## reports in a real browser: roles, accessibility, no network (Debian's Chromium and npm packages, installed when missing)
	@$(TOOLS) pytest tests/report

.PHONY: netns
netns: ## real packets between network namespaces (root)
	@$(TOOLS) pytest tests/netns

.PHONY: kernels
kernels: ## Debian's kernels 5.10, 6.1, 6.12 and the newest, booted in qemu (NAME="5.10 newest": only these; RECORD=1: renew tests/unit's samples)
	@$(TOOLS) python tests/kernels/kernels.py $(if $(RECORD),--record) $(NAME)

.PHONY: package
package: ## build the artifact, install it elsewhere, use it from there, let Galaxy's importer read it
	@$(TOOLS) python tests/tools/package.py

.PHONY: site
site: ## build the pages of docs/ and the reference of modules and roles as one site; a warning is a failure
	@$(TOOLS) python tests/tools/site.py

.PHONY: oldest
oldest: ## unit, contract and package with the oldest ansible-core that the collection takes (any target: CORE=2.19.4)
	@$(MAKE) CORE=$(OLDEST) unit contract package

.PHONY: molecule
molecule: machine ## Molecule over the fleet of containers (SCENARIO="a b": only these; SLOW=1: all; KEEP=1: machines as they are, and left)
	@$(TOOLS) python tests/tools/scenarios.py $(if $(KEEP),--keep) $(if $(SLOW),--slow) $(SCENARIO)

.PHONY: bench
bench: machine ## what rollout and re-run cost, in plays with one ping (ROUNDS=1: not three times; SCALE=1, MEASURED=1: 100 hosts; ADOPTING=1, PAIRINGS=1: only that)
	@$(TOOLS) python tests/bench/bench.py $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SCALE),--scale) \
		$(if $(MEASURED),--measured) $(if $(ADOPTING),--adopting) $(if $(PAIRINGS),--pairings)

.PHONY: bench-guard
bench-guard: ## what a look of the guard costs, beside a Python that does nothing
	@$(TOOLS) python tests/bench/guard.py

.PHONY: simulate
simulate: ## how often the judge is right, as a table
	@$(TOOLS) python tests/simulate

.PHONY: simulate-guard
simulate-guard: ## how often the guard is right, and how soon, as a table
	@$(TOOLS) python tests/simulate/guard.py

.PHONY: docs
docs: ## write docs/variables.md from the schema
	@$(TOOLS) python tests/tools/variables.py

.PHONY: format
format: ## lay the Python files out
	@$(TOOLS) black --quiet plugins tests

.PHONY: clean
clean: demo-down ## remove the fleet and everything that was cached
	@rm -rf "$${FASTOPEN_CACHE:-$$HOME/.cache/fastopen.shadowsocks}" .ansible .pytest_cache
