# make demo: train and compare three strategies. make test: all tests. Both need only Python 3.11+ and a package index.
PYTHON ?= python3
VENV ?= .venv

.PHONY: demo test lint docs settings
demo: $(VENV)/installed
	$(VENV)/bin/babelbatch-train -m experiment=demo sampling=x_x,x_y,hybrid

test: $(VENV)/installed
	$(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/installed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

settings: $(VENV)/installed
	$(VENV)/bin/python docs/tools/settings_page.py
	$(VENV)/bin/python docs/tools/architecture_picture.py

docs: $(VENV)/installed
	$(VENV)/bin/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs build/site
	@echo "build/site/index.html"

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "babelbatch needs Python 3.11 or later: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
