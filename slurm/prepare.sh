#!/bin/bash
# The preparation of a dataset as a job of Slurm. `run_experiments.py submit --photos DIR` hands this to sbatch, in the
# repository's root: sbatch ... slurm/prepare.sh COMMAND...
# Where the time is too short, the next job resumes where this one was.
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --open-mode=append

exec "$@" --jobs "$SLURM_CPUS_ON_NODE" # python -m data_prep
