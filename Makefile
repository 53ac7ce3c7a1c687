PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$each -c '$(NEW_ENOUGH)' 2> /dev/null && echo $$each && break; done)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
BIN := .venv/bin
PIP_COMPILE := .venvs/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-options $(ARGS)
IMAGE := target-driftrock
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
BUILDER = $(shell for each in docker podman buildah; do $$each info > /dev/null 2>&1 && echo $$each && break; done)

export CUSTOM_COMPILE_COMMAND := make lock
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where the environment forbids it, each of the programs that tests start would compile the whole package anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test acceptance acceptance-spark simulate mutants defects fuzz bench bench-quick lint format workflows examples definition wheel release-check image test-image meltano spark lock clean

help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s%s\n", $$1, $$2 }' Makefile

setup: .venv/.ready ## Set up .venv for running and developing, once.

demo: setup ## Deliver leads and conversions to the sandbox, and show where they went.
	@$(BIN)/python -m demo

test: setup ## Run every test, two processes a processor; ARGS are pytest's: make test ARGS="-k state -n0".
	@$(BIN)/pytest --numprocesses=auto --dist=worksteal $(ARGS)

simulate: setup ## Try whole deliveries by seed, crashes included: make simulate ARGS="--seeds 100000".
	@$(BIN)/python -m tests.simulation $(ARGS)

mutants: setup ## Break the code in known ways, on copies, and see that the tests notice.
	@$(BIN)/python -m tests.mutants $(ARGS)

defects: setup ## Have every function raise, one after the other, and see how a run ends: ten minutes; ARGS="worker ledger".
	@$(BIN)/python -m tests.canaries $(ARGS)

fuzz: setup ## Try odd inputs, schemas, mappings, settings and answers for ten minutes each.
	@TARGET_DRIFTROCK_TEST_FUZZ_SECONDS=600 $(BIN)/pytest --numprocesses=auto tests/fuzz $(ARGS)

acceptance: setup ## Play every fault through the installed command, and write docs/faults.md; ARGS="--short".
	@$(BIN)/python -m tests.faults $(ARGS)

bench: setup .venvs/bench/.ready ## Measure how fast it is, against others, and write docs/measurements/bench.md: forty minutes.
	@$(BIN)/python -m benchmarks $(ARGS)

bench-quick: setup .venvs/bench/.ready ## Measure less, in two minutes, and say what got slower; ARGS="--keep" keeps it.
	@$(BIN)/python -m benchmarks --quick $(ARGS)

lint: setup ## Check style, types and the layers.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: setup ## Mend what can be mended of style.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

workflows: .venvs/zizmor/.ready ## Check what CI itself may do, and what it fetches; nothing is asked for.
	@.venvs/zizmor/bin/zizmor --offline --quiet .github

definition: setup ## Write anew what Meltano has to know of the plugin, in hub/ and plugins/.
	@$(BIN)/python -m hub

examples: .venvs/schemas/.ready ## Check files by the schemas of who reads them: Compose, Kubernetes, Meltano, GitHub.
	@.venvs/schemas/bin/check-jsonschema --builtin-schema vendor.compose-spec examples/compose.yml
	@.venvs/schemas/bin/kubernetes-validate --strict --quiet examples/cronjob.yml
	@.venvs/schemas/bin/check-jsonschema --builtin-schema vendor.meltano meltano.yml examples/meltano.yml
	@.venvs/schemas/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venvs/schemas/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

wheel: setup ## Build the wheel into dist/.
	@rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation

release-check: setup ## Build what a release would publish, twice, and try it; nothing is published.
	@.ci/release

image: wheel ## Build the image with docker, podman or buildah; ARGS="--build-arg BASE=IMAGE" takes another base.
	@test -n '$(BUILDER)' || { echo 'No docker, podman or buildah works here.' >&2; exit 1; }
	$(BUILDER) build --tag $(IMAGE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse HEAD) $(ARGS) .

test-image: setup ## Build the image and try it in containers that may do nothing, as root with buildah and crun.
	@.ci/image $(ARGS)

meltano: .venvs/meltano/.ready .venvs/tap-postgres/.ready ## Install Meltano and its PostgreSQL tap, for the tests that run them.

spark: .venvs/spark/.ready ## Install Spark, for the tests that run it. Java is needed, too.

acceptance-spark: setup .venvs/spark/.ready ## Kill workers, executors and drivers of jobs on Spark, and write docs/spark-faults.md; ARGS="--rows 5000".
	@$(BIN)/python -m tests.spark.faults $(ARGS)

# The oldest Python needs every backport, so what is pinned with it serves the newer ones too.
lock: ## Pin again what pyproject.toml and requirements/*.in ask for; ARGS=--upgrade takes the newest.
	@python3.11 -m venv .venvs/lock
	.venvs/lock/bin/pip install -qq --upgrade pip-tools
	$(PIP_COMPILE) --extra dev --extra postgres --output-file requirements/dev.txt pyproject.toml
	$(PIP_COMPILE) --extra postgres --constraint requirements/dev.txt --output-file requirements/runtime.txt pyproject.toml
	$(PIP_COMPILE) --constraint requirements/dev.txt --output-file requirements/bench.txt requirements/bench.in
	$(PIP_COMPILE) --output-file requirements/meltano.txt requirements/meltano.in
	$(PIP_COMPILE) --output-file requirements/tap-postgres.txt requirements/tap-postgres.in
	$(PIP_COMPILE) --output-file requirements/zizmor.txt requirements/zizmor.in
	$(PIP_COMPILE) --output-file requirements/schemas.txt requirements/schemas.in
	$(PIP_COMPILE) --output-file requirements/release.txt requirements/release.in
	$(PIP_COMPILE) --extra spark --constraint requirements/dev.txt --output-file requirements/spark.txt pyproject.toml requirements/spark.in
	sed -n 's/^\([^ #].*[^ ]\) *\\$$/\1/p' requirements/runtime.txt > requirements/constraints.txt

clean: ## Remove everything that these targets made.
	rm -rf .venv .venvs dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.venv/.ready: requirements/dev.txt pyproject.toml
	@$(call venv,.venv)
	@$(BIN)/pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

.venvs/spark/.ready: requirements/spark.txt pyproject.toml
	@$(call venv,.venvs/spark)
	@.venvs/spark/bin/pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

.venvs/%/.ready: requirements/%.txt
	@$(call venv,.venvs/$*)
	@touch $@

# A virtual environment in folder $(1) with exactly what the rule's first prerequisite pins.
define venv
$(or $(PYTHON),false) -c '$(NEW_ENOUGH)' 2> /dev/null || { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3' >&2; exit 1; }; \
echo 'Setting up $(1) from $<, once: about half a minute.'; \
$(PYTHON) -m venv $(1) && $(1)/bin/pip install -qq --no-deps --require-hashes --requirement $<
endef
