# Every target makes what it needs. The two that matter: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PARALLEL ?= -n 2 # two processes; a module, or what shares a stack, stays in one
export AIRFLOW_HOME ?= $(CURDIR)/$(VENV)/airflow
export AIRFLOW__CORE__LOAD_EXAMPLES ?= False

.PHONY: help venv system demo test unit integration e2e docs dist pictures lint format bench chaos databases compat constraints clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

venv: $(STAMP) ## Make .venv, in which the checkout is installed

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[amazon,google,kubernetes,celery]' --group test --group lint
	touch $@

system: ## Install the Debian packages that tests need, where they are missing
	@missing=; \
	ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || command -v initdb > /dev/null || missing="$$missing postgresql"; \
	command -v chromium > /dev/null || missing="$$missing chromium"; \
	command -v redis-server > /dev/null || missing="$$missing redis-server"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then \
		echo "The tests need$$missing. Install it, or run 'make system' as root on Debian." >&2; exit 1; \
	fi; \
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $$missing

demo: venv ## Take machines away from under a running task and see it finish (KEEP=1 leaves the UI running)
	$(BIN)/python -m airflow_interruptible.testing.demo $(if $(KEEP),--keep)

test: venv lint unit integration e2e ## Everything that must pass before a merge

unit: venv ## Pure and fast
	$(BIN)/python -m pytest tests/unit tests/golden tests/kubernetes_api_tests tests/test_*.py -q --dist loadscope $(PARALLEL)

integration: venv system ## With Airflow, without a stack
	$(BIN)/python -m pytest tests/integration -q --dist loadscope $(PARALLEL)

e2e: venv system ## On a real stack, with real signals
	$(BIN)/python -m pytest tests/e2e -q -m 'not slow' --dist loadscope $(PARALLEL)

compat: venv system ## The core of the tests on other Airflows and Pythons, each in .compat (COMPAT="3.3.0 3.4" for some)
	$(BIN)/python tests/compat $(COMPAT)

docs: venv ## Write docs/configuration.md again, from the table of options
	$(BIN)/python docs/reference.py

dist: venv ## Build wheel and sdist, and try the README with them in an Airflow without extras
	rm -rf dist
	$(BIN)/uv build -q --out-dir dist
	$(BIN)/python tests/packaging/check.py

pictures: venv system ## Take the pictures of the README again, in Chromium
	PICTURES=$(CURDIR)/docs/pictures $(BIN)/python -m pytest tests/e2e/ui -q

lint: venv ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: venv ## Let ruff write
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: venv system ## Side by side with plain Airflow; writes benchmarks/README.md
	$(BIN)/python -m benchmarks

databases: venv system ## What the servers write, on PostgreSQL and on MariaDB instead of SQLite
	@command -v mariadbd > /dev/null || { echo "This needs mariadb-server: apt-get install mariadb-server" >&2; exit 1; }
	METADATA_DATABASE=postgresql $(BIN)/python -m pytest tests/integration/server -q --dist loadscope $(PARALLEL)
	METADATA_DATABASE=mariadb $(BIN)/python -m pytest tests/integration/server -q --dist loadscope $(PARALLEL)

chaos: venv system ## The slow proofs, and random kills at random moments of every process
	$(BIN)/python -m pytest tests/e2e -q -m slow
	INTERLEAVINGS=2000 $(BIN)/python -m pytest tests/unit/operators/test_pod_interleavings.py -q
	$(BIN)/python -m benchmarks.chaos

constraints: venv ## Resolve again what the tests run on
	{ echo '# What the tests run on. Made by: make constraints'; echo 'celery<5.7' > $(VENV)/pins.txt; \
	$(BIN)/uv pip compile -q --universal --python-version 3.10 --no-annotate --no-header --all-extras \
		--group test --group lint -c $(VENV)/pins.txt pyproject.toml; } > constraints.new
	mv constraints.new constraints.txt

clean: ## Remove what make made
	rm -rf $(VENV) .compat build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
