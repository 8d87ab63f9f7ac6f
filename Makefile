# make demo: train and compare three strategies. make test: all tests. Both need only Python 3.11+ and a package index.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
PYTHON ?= python3
VENV ?= .venv

# Of the hundreds of lines that pip prints: the files of 10 MB and more that it downloads, and the last step. Where there
# is none of them for half a minute, the time.
SHORTENED = while IFS= read -r -t 30 line || { [ $$? -gt 128 ] && line="so far $$SECONDS s"; }; do case "$$line" in \
	*"Downloading "*\([0-9][0-9]*" MB)") name=$${line% (*}; echo "  downloading $${name\#\#*[ /]} ($${line\#\#*\(}" ;; \
	*"Installing collected packages: "*) set -- $$line; echo "  unpacking $$(($$\# - 3)) packages" ;; \
	"so far "*) echo "  $$line" ;; \
	esac; done

.PHONY: demo test lint docs settings
demo: $(VENV)/installed
	$(VENV)/bin/babelbatch-train -m experiment=demo sampling=x_x,x_y,hybrid

# Three at a time on two cores, because many tests wait for processes that end or time out.
test: $(VENV)/installed
	$(VENV)/bin/python -m compileall -q src # else, under PYTHONDONTWRITEBYTECODE, each process that a test starts compiles it
	$(VENV)/bin/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/installed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

settings: $(VENV)/installed
	$(VENV)/bin/python docs/tools/settings_page.py
	$(VENV)/bin/python docs/tools/architecture_picture.py

docs: $(VENV)/installed
	@echo "building the site: about a minute"
	$(VENV)/bin/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs build/site
	@echo "build/site/index.html"

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "babelbatch needs Python 3.11 or later: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	@echo "installing babelbatch and what it needs into $(VENV), once: 2 to 5 minutes, about 2 GB (more with CUDA)"
	$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --progress-bar off --constraint constraints.txt --editable '.[dev]' | $(SHORTENED)
	touch $@
