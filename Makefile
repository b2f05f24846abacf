# make pretrain              AdaSim on photographs that come with a dependency, some minutes
# make pretrain DATA=folder  the same with your own images
# make test                  lint and tests
# make test LARGE=1          the large tests instead: combinations, whole runs, fresh processes
PYTHON ?= python3
VENV ?= .venv
DATA ?=
NAME ?=

export KERAS_BACKEND = tensorflow
export TF_CPP_MIN_LOG_LEVEL ?= 2

IN_VENV = $(abspath $(VENV))/bin/python
READY = $(VENV)/.ready-$(shell { cat setup.cfg pyproject.toml; pwd -P; } | cksum | cut -d' ' -f1)

# Where the user stands; DATA and runs/ are meant from there. It is make's own folder, unless make was
# sent here by -C, which adds a w to its flags. (PWD alone may be that of a program that called make.)
STAND = $(if $(findstring w,$(firstword -$(MAKEFLAGS))),$(or $(PWD),$(CURDIR)),$(CURDIR))

.PHONY: pretrain test setup clean

pretrain: $(READY)
	cd "$(STAND)" && "$(IN_VENV)" "$(CURDIR)/recipes/pretrain.py" $(if $(DATA),--data_dir="$$DATA") $(if $(NAME),--name="$$NAME") $(FLAGS)

test: $(READY)
	"$(IN_VENV)" -m ruff check .
	"$(IN_VENV)" -m ruff format --check .
	"$(IN_VENV)" -m pytest -n 2 --dist worksteal -m "$(if $(LARGE),large,not large)" $(TESTS)

setup: $(READY)

# Named after what it was made from, and where: a changed dependency or a moved folder sets up again,
# nothing else does.
$(READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing TensorFlow, Keras and the rest into $(VENV) (once, a minute or more) ..."
	"$(IN_VENV)" -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@rm -f $(VENV)/.ready-*
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
