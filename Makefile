# Two commands on a fresh machine with git, make and Python 3.11: `make demo` and `make test`.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := .venv/bin
PYTEST := $(RUN)/pytest -q -p no:cacheprovider
ON_SQLITE := env -u RELANCE_TEST_DATABASE_URL
BROWSER := $(RUN)/pytest -q -m "browser"
FAST := not browser and not chaos and not long

.PHONY: setup demo test test-fast test-postgres test-browser check fix bench chaos messages screenshots clean

setup: .venv/.ready

.venv/.ready: pyproject.toml uv.lock
	@command -v $(UV) >/dev/null 2>&1 || (python3 -m venv .uv && .uv/bin/pip install -q uv)
	@$(UV) sync -q --frozen
	@touch $@

demo: setup
	@$(RUN)/relance demo

test: setup
	@sh scripts/browser.sh
	$(ON_SQLITE) $(PYTEST) -n 2 -m "$(FAST)"
	$(ON_SQLITE) $(PYTEST) -n 2 --dist loadfile -m "long"
	@if [ -n "$$RELANCE_TEST_DATABASE_URL" ]; then $(MAKE) --no-print-directory test-postgres; fi
	@# a real browser on a busy machine may miss a beat: a journey that fails twice has failed
	$(ON_SQLITE) $(BROWSER) || $(ON_SQLITE) $(BROWSER) --last-failed
	$(PYTEST) -m "chaos"

test-fast: setup
	$(ON_SQLITE) $(PYTEST) -n 2 -m "$(FAST)"

# The rooms that speak to a database, once more on PostgreSQL.
test-postgres: setup
	$(PYTEST) -n 2 -m "$(FAST)" --ignore=tests/engine --ignore=tests/formats

test-browser: setup
	@sh scripts/browser.sh
	$(ON_SQLITE) $(BROWSER)

# Ten thousand messages on each database, some minutes (docs/chaos.md); SEED=… repeats a run, MESSAGES=… shortens it.
chaos: setup
	$(RUN)/python tests/chaos/scenario.py --messages $(or $(MESSAGES),10000) $(if $(SEED),--seed $(SEED))

check: setup
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports --verbose
	$(RUN)/python manage.py makemigrations --check --dry-run
	$(RUN)/python scripts/check_messages.py

fix: setup
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

bench: setup
	@$(RUN)/relance bench

messages: setup
	$(RUN)/python scripts/check_messages.py --write

screenshots: setup
	@sh scripts/browser.sh
	$(RUN)/python scripts/screenshots.py

clean:
	rm -rf .venv .uv .mypy_cache .ruff_cache .hypothesis var
