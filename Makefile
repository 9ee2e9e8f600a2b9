# The verbs that people type. Each is a line or two over the command lines below it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
RUN := $(PYTHON) run_experiments.py

# where the Docker image has them
AVA_ROOT ?= $(wildcard /data/ava)
CUHKPQ_ROOT ?= $(wildcard /data/cuhkpq)
EXTRA ?=
SEEDS ?= 1
JOBS ?= $(shell nproc)

# For the paper's tables GPU=0,1 names the GPUs, and CPU=1 does without; otherwise GPU=1 or 0 chooses the Caffe that
# is set up. Where nothing is said, or no GPU is there, the one in .venv stays.
DEVICE = $(if $(CPU),--cpu,--gpu $(or $(GPU),0))
ifneq ($(filter reproduce-%,$(MAKECMDGOALS)),)
export CAFFE_GPU := $(if $(CPU),,$(if $(shell command -v nvidia-smi),1))
else ifdef GPU
export CAFFE_GPU := $(GPU)
endif

.PHONY: help setup demo demo-data test test-caffe bench models prototxt

help: ## this list
	@awk -F ':.*## ' '/^[a-zA-Z-]+[%I V]*:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' Makefile

setup: ## .venv with everything, real Caffe included; GPU=1 for NVIDIA's GPUs (CUDA_ARCH=90, CUDNN=0), GPU=0 without
	@caffe_build/setup.sh

demo: demo-data ## the whole path on the embedded dataset, on the CPU, ending in a table
	@$(RUN) run --dataset demo --cpu
	@$(RUN) table demo

demo-data: setup ## the embedded dataset alone: drawn, and prepared
	@$(PYTHON) -m data_prep demo --out data/demo-photos --jobs $(JOBS)
	@$(PYTHON) -m data_prep ava --root data/demo-photos/ava --partition large --name demo --allow-bad 2 --jobs $(JOBS)

test: setup ## every test, and the style of the code
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check -q .
	@$(PYTHON) -m pytest

test-caffe: setup ## Caffe's own Python tests
	@$(PYTHON) -m caffe_build.selftest

bench: demo-data ## what all of it costs, against named peers: one table (installs PyTorch, for the benchmarks alone)
	@$(PYTHON) -m pip --disable-pip-version-check install --quiet --requirement benchmarks/requirements.txt
	@$(PYTHON) -m benchmarks

models: setup ## the two pretrained models into models/, checked
	@$(RUN) models

prototxt: setup ## write the prototxts and the solvers anew; hand edits are kept (FORCE=1 overwrites them)
	@$(PYTHON) -m prototxt $(if $(FORCE),--force)

reproduce-table-I: setup ## CUHKPQ (large): CUHKPQ_ROOT=DIR EXTRA=DIR, and GPU=0 or CPU=1, SEEDS="1 2 3"
	@$(call reproduce,I,cuhkpq-large,cuhkpq,large,$(CUHKPQ_ROOT),$(if $(EXTRA),--extra "$(EXTRA)"))

reproduce-table-II: setup ## CUHKPQ (small): CUHKPQ_ROOT=DIR
	@$(call reproduce,II,cuhkpq-small,cuhkpq,small,$(CUHKPQ_ROOT),)

reproduce-table-III: setup ## AVA (large): AVA_ROOT=DIR
	@$(call reproduce,III,ava-large,ava,large,$(AVA_ROOT),)

reproduce-table-IV: setup ## AVA (small): AVA_ROOT=DIR
	@$(call reproduce,IV,ava-small,ava,small,$(AVA_ROOT),)

# $(call reproduce,table,dataset,reader,partition,root,options): first all that is missing, then the work
define reproduce
$(RUN) doctor --dataset $(2) $(if $(5),--photos "$(5)") $(DEVICE) --fetch-models
$(RUN) models
if [ -n "$(5)" ]; then $(PYTHON) -m data_prep $(3) --root "$(5)" --partition $(4) $(6) --jobs $(JOBS); fi
$(RUN) run --dataset $(2) $(DEVICE) --seeds $(SEEDS)
$(RUN) table $(1)
endef
