# make demo: sets up and generates audio.   make test: sets up and runs every check.
# make setup: only makes .venv, with audiogen in it.   make docs: builds the documentation into site/.
# All of them reuse what is there.

PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

.PHONY: setup demo docs test lint clean

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "audiogen needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	@echo "A dozen prompts, with the small model that ships with audiogen. What it can do, and what it"
	@echo "cannot do yet, stands in docs/default-model.md."
	@for config in examples/demo/*.json; do \
		$(BIN)/audiogen generate --generation-config $$config || exit $$?; \
	done
	@echo "The files are in $(DEMO)/outputs. Next: write prompts of your own into"
	@echo "examples/demo/*.json (docs/prompts.md says what the model knows), or see README.md."

docs: setup
	$(BIN)/zensical build --strict --clean
	@echo "Open site/index.html in a browser, or serve it with search: $(BIN)/zensical serve"

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: setup lint
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto

clean:
	rm -rf .venv $(DEMO) site .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
