# The verbs that people type. Each is a line or two over the command lines below it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
EXPERIMENTS := $(PYTHON) run_experiments.py
SEEDS ?= 1
JOBS ?= $(shell nproc)

# Folders go to the recipes through the environment, unexpanded: a path may hold $, quotes and spaces.
# The defaults are where the Docker image has the photos.
ifeq ($(origin AVA_ROOT),undefined)
AVA_ROOT := $(wildcard /data/ava)
endif
ifeq ($(origin CUHKPQ_ROOT),undefined)
CUHKPQ_ROOT := $(wildcard /data/cuhkpq)
endif
RUN ?= demo/vgg16_global
unexport AVA_ROOT CUHKPQ_ROOT EXTRA FROM PHOTOS RUN SLURM SLURM_PREPARE
export AVA_ROOT_DIR := $(value AVA_ROOT)
export CUHKPQ_ROOT_DIR := $(value CUHKPQ_ROOT)
export EXTRA_DIR := $(value EXTRA)
export FROM_DIR := $(value FROM)
export PHOTOS_DIR := $(value PHOTOS)
export RUN_NAME := $(value RUN)
export SBATCH_WORDS := $(value SLURM)
export PREPARATION_WORDS := $(value SLURM_PREPARE)
ifneq ($(filter predict,$(MAKECMDGOALS)),)
$(if $(value PHOTOS),,$(error PHOTOS is missing: make predict PHOTOS=DIR))
endif

# CUDA=1 or 0 chooses the Caffe that setup builds; unset, the one in .venv stays. For the paper's tables GPU=0,1 names
# the cards and CPU=1 does without, and Caffe is built for GPUs where one can be seen, or where jobs of Slurm have them.
ifeq ($(origin CUDA)$(filter 0 1,$(CUDA)),environment)  # some systems have CUDA's folder there
override CUDA :=
endif
ifneq ($(CPU),1)
ifneq ($(origin CPU),environment)  # where some systems have the kind of the processor
$(if $(filter-out 0,$(CPU)),$(error CPU=$(CPU): it can be 1 or 0))
endif
override CPU :=
endif
export GPU_IDS := $(or $(GPU),0)
DEVICE = $(if $(CPU),--cpu,--gpu "$$GPU_IDS")
ifneq ($(filter reproduce-%,$(MAKECMDGOALS)),)
ifeq ($(CUDA)$(CPU),)
CUDA := $(if $(value SLURM)$(shell command -v nvidia-smi),1)
endif
else ifneq ($(if $(filter predict,$(MAKECMDGOALS)),,$(GPU)),)  # as it was called before
ifeq ($(filter-out 0 1,$(GPU)),)
ifeq ($(CUDA),)
CUDA := $(GPU)
RENAMED := note: make setup GPU=$(GPU) is now CUDA=$(GPU)
endif
else ifeq ($(origin GPU),command line)
$(error GPU=$(GPU) names cards for reproduce-table-*; setup takes CUDA=1 or CUDA=0)
endif
endif
ifneq ($(filter reproduce-%,$(MAKECMDGOALS)),)
ifeq ($(CUDA):$(CPU)$(value SLURM),1:)
setup: cards  # are looked at before Caffe is built for them
endif
endif
export CUDA

.PHONY: help cards setup demo demo-scratch demo-data report test test-caffe test-slurm bench models predict prototxt

##@ Set up
help: ## this list
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-zA-Z-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' Makefile

setup: ## .venv and Caffe; CUDA=1 for NVIDIA's GPUs (CUDA_ARCH=90, CUDNN=0), CUDA=0 for the CPU; CAFFE_PATCHES=minimal
	@$(if $(RENAMED),echo "$(RENAMED)" >&2)
	@caffe_build/setup.sh

cards:
	@if (command -v nvidia-smi && python3 -c 'import tomllib') >/dev/null 2>&1; then python3 -m experiments.gpus "$$GPU_IDS"; fi

models: setup ## the two pretrained models into models/, checked; FROM=DIR has the files, under whatever names
	@$(EXPERIMENTS) models $${FROM_DIR:+--from "$$FROM_DIR"}

##@ Demo and tests
demo: demo-data ## the whole path on the embedded dataset, on the CPU, ending in a table and a report
	@$(EXPERIMENTS) run --dataset demo --cpu
	@$(EXPERIMENTS) table demo
	@$(EXPERIMENTS) report demo

demo-scratch: demo-data ## fine-tuned and from scratch side by side (IV-D): AlexNet on one view of the embedded dataset
	@$(EXPERIMENTS) run --dataset demo --network alexnet --view global --start pretrained scratch --cpu
	@$(EXPERIMENTS) compare IV-D --dataset demo
	@$(EXPERIMENTS) report demo

demo-data: setup ## only the embedded dataset: drawn, and prepared
	@$(PYTHON) -m data_prep demo --out data/demo-photos --jobs "$(JOBS)"
	@$(PYTHON) -m data_prep ava --root data/demo-photos/ava --partition large --name demo --allow-bad 2 --jobs "$(JOBS)"

test: setup ## every test, and the style of the code
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check -q .
	@$(PYTHON) -m pytest

test-caffe: setup ## Caffe's own Python tests
	@$(PYTHON) -m caffe_build.selftest

test-slurm: setup ## the jobs of a cluster, on a real Slurm of two nodes that is started here; needs root for its packages
	@tests/slurm/packages.sh
	@SLURM_TESTS=1 $(PYTHON) -m pytest -n 0 -vv --durations=0 --durations-min=1 tests/slurm

##@ The paper's tables
reproduce-table-I: setup ## CUHKPQ (large): CUHKPQ_ROOT=DIR EXTRA=DIR, and GPU=0 or CPU=1, SEEDS="1 2 3", SLURM="--partition=..."
	@$(call reproduce,I,cuhkpq-large,cuhkpq,large,CUHKPQ_ROOT_DIR,$${EXTRA_DIR:+--extra "$$EXTRA_DIR"})

reproduce-table-II: setup ## CUHKPQ (small): CUHKPQ_ROOT=DIR
	@$(call reproduce,II,cuhkpq-small,cuhkpq,small,CUHKPQ_ROOT_DIR,)

reproduce-table-III: setup ## AVA (large): AVA_ROOT=DIR
	@$(call reproduce,III,ava-large,ava,large,AVA_ROOT_DIR,)

reproduce-table-IV: setup ## AVA (small): AVA_ROOT=DIR
	@$(call reproduce,IV,ava-small,ava,small,AVA_ROOT_DIR,)

# $(call reproduce,table,dataset,reader,partition,variable with the root,options): first all that is missing, then the work
# With SLURM the work is jobs of Slurm, and the table comes once all of them are done and it is typed again.
define reproduce
$(if $(value SLURM),$(reproduce-slurm),$(reproduce-here))
endef

define reproduce-slurm
$(EXPERIMENTS) models
$(EXPERIMENTS) submit --dataset $(2) $(if $(CPU),--cpu) --seeds $(SEEDS) $${$(5):+--photos "$$$(5)"} $(6) \
    --slurm="$$SBATCH_WORDS" $${PREPARATION_WORDS:+--prepare="$$PREPARATION_WORDS"} --table
endef

define reproduce-here
$(EXPERIMENTS) doctor --dataset $(2) $${$(5):+--photos "$$$(5)"} $(6) $(DEVICE) --fetch-models
$(EXPERIMENTS) models
if [[ -n $$$(5) ]]; then $(PYTHON) -m data_prep $(3) --root "$$$(5)" --partition $(4) $(6) --jobs "$(JOBS)"; fi
$(EXPERIMENTS) run --dataset $(2) $(DEVICE) --seeds $(SEEDS)
$(EXPERIMENTS) table $(1)
endef

##@ Tools
bench: demo-data ## what everything costs, compared with named peers: one table (PyTorch in .venv-torch, only for this)
	@$(PYTHON) -m benchmarks.torch_venv
	@$(PYTHON) -m benchmarks

report: setup ## a page for each table that has results: curves, photos, claims
	@$(EXPERIMENTS) report

predict: setup ## how probably the photos in PHOTOS=DIR are good, by RUN=ava-large/vgg16_global, on GPU=0 or on the CPU
	@$(EXPERIMENTS) predict $(if $(GPU),--gpu "$$GPU_IDS",--cpu) -- "$$RUN_NAME" "$$PHOTOS_DIR"

prototxt: setup ## write the prototxts and the solvers again; hand edits are kept (FORCE=1 overwrites them)
	@$(PYTHON) -m prototxt $(if $(filter-out 0,$(FORCE)),--force)
