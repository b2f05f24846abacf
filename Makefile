# make pretrain              AdaSim on photographs that come with a dependency, about three minutes
# make pretrain DATA=folder  the same with your own images
# make test                  lint and tests
PYTHON ?= python3
VENV ?= .venv
DATA ?=
NAME ?=

export KERAS_BACKEND = tensorflow
export TF_CPP_MIN_LOG_LEVEL ?= 2

READY = $(VENV)/.ready-$(shell cat setup.cfg pyproject.toml | cksum | cut -d' ' -f1)

.PHONY: pretrain test lint setup clean

pretrain: $(READY)
	$(VENV)/bin/python recipes/pretrain.py $(if $(DATA),--data_dir="$(DATA)") $(if $(NAME),--name="$(NAME)") $(FLAGS)

test: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal $(TESTS)

setup: $(READY)

# Named after what it was made from: a changed dependency sets up again, nothing else does.
$(READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing TensorFlow, Keras and the rest into $(VENV) (once, about a minute) ..."
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[test]'
	@rm -f $(VENV)/.ready-*
	@touch $@

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache
