# « make help » : ce que l'on peut demander ici.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install run check fix test test-fast bench clean

help:  ## Liste ce que l'on peut demander
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Albert demande Python 3.11 ou plus récent : installez-le, puis « make install PYTHON=python3.11 »." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,llm]'
	@touch $@

install: $(STAMP)  ## Crée .venv et y installe Albert

run: $(STAMP)  ## Installe, apprend les fiches, démarre Albert (Ctrl-C arrête tout)
	@exec $(BIN)/albert up

check: $(STAMP)  ## Style, types, contrats d'import, tailles
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

fix: $(STAMP)  ## Corrige ce qui peut l'être automatiquement
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(STAMP)  ## Tous les tests
	$(BIN)/pytest

test-fast: $(STAMP)  ## Les tests de moins de 10 secondes, à chaque sauvegarde
	$(BIN)/pytest -q -m 'not integration and not acceptance'

bench: $(STAMP)  ## Les mesures de vitesse (voir benchmarks/README.md)
	$(BIN)/python benchmarks/corpus.py
	$(BIN)/python benchmarks/search.py

clean:  ## Retire .venv et les caches (pas les données d'Albert)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
