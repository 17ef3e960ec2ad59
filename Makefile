# make demo   set up, build, and turn 63,000 package descriptions into demo.atlas
# make test   set up, build, run all tests
# make python set up, build the Python module into build/python-env, run its tests (docs/python.md)
# More: build bench format lint install clean.  PRESET=dev|asan|tsan chooses another build.
PRESET ?= release
BUILD := build/$(PRESET)
PREFIX ?= /usr/local
PYTHON ?= python3
PYTHON_ENV := build/python-env

.PHONY: demo test python build setup bench format lint install clean

setup:
	@scripts/setup

build: setup
	@mkdir -p build; cmake --preset $(PRESET) >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build $(BUILD)

demo: build
	@scripts/get-data model || echo "make demo: no encoder model; the texts are organised by their words alone"
	@scripts/demo $(BUILD)/apps/carya

test: build
	@scripts/get-data model || echo "make test: no encoder model; its tests are skipped"
	@ctest --test-dir $(BUILD) --output-on-failure -j 2

# Without build isolation, so that a second run builds what has changed only.
python: setup
	@test -x $(PYTHON_ENV)/bin/pip || $(PYTHON) -m venv $(PYTHON_ENV)
	@$(PYTHON_ENV)/bin/pip install -q --disable-pip-version-check -r python/requirements-dev.txt
	@$(PYTHON_ENV)/bin/pip install -q --disable-pip-version-check --no-build-isolation --no-deps .
	@for folder in build/python-cp*; do cmake --build $$folder --target carya_python_reference; done
	@$(PYTHON_ENV)/bin/pytest -q

bench: build
	@scripts/get-data all
	@cmake --build $(BUILD) --target bench
	@bench/run $(BUILD)

format:
	@git ls-files '*.cc' '*.h' | xargs clang-format-16 -i

lint: build
	@git ls-files '*.cc' '*.h' | xargs clang-format-16 --dry-run -Werror
	@git ls-files 'carya/*.cc' 'apps/*.cc' | grep -v _bench.cc | grep -v _fuzz.cc | \
	  xargs -P 2 -n 4 clang-tidy-16 -p $(BUILD) --quiet --warnings-as-errors='*'

install: build
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	@rm -rf build
