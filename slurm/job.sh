#!/bin/bash
# One run as a job of Slurm. `run_experiments.py submit` hands this to sbatch, in the repository's root:
#   sbatch --job-name=RUN --output=FOLDER/slurm.log --signal=B:USR1@120 ... slurm/job.sh FOLDER COMMAND...
# Edit it as you like: modules to load, a folder to make. What sbatch is given beats the #SBATCH lines.
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --requeue
#SBATCH --open-mode=append

folder=$1 # of the run
shift

say() { echo "slurm/job.sh: job $SLURM_JOB_ID on $SLURMD_NODENAME, $(date '+%F %T'): $*"; }
snapshots() { ls "$folder/snapshots" 2>/dev/null || true; }

for name in SLURM_TMPDIR TMPDIR; do # in --stage: this node's
    if [[ "$*" == *"\$$name"* && -z ${!name:-} ]]; then
        say "error: \$$name is not set on this node: give another --stage"
        exit 2
    fi
    set -- "${@//\$$name/${!name:-}}"
done

say "starts${SLURM_RESTART_COUNT:+ (requeued: $SLURM_RESTART_COUNT)}"
before=$(snapshots)
"$@" & # run_experiments.py run, which ends with 130 when it was stopped, after a snapshot
driver=$!

# Two ways to be stopped:
# USR1: the time is nearly up, Slurm tells this shell alone (--signal=B:). The job is queued again.
# TERM: scancel, or preemption; Slurm tells every process. What was cancelled stays so; Slurm itself queues again what
# was preempted. `scancel --batch --signal=TERM JOB` tells this shell alone: then a snapshot may take its time.
time_is_up='' cancelled='' heard=''
trap 'time_is_up=1 heard=1; say "the time is nearly up"; kill -TERM $driver' USR1
trap 'cancelled=1 heard=1; say "stopping"; kill -TERM $driver' TERM
while heard=''; wait $driver; status=$?; [[ $heard ]]; do :; done # a signal ends `wait`, not the driver
say "ended with $status"

if [[ $time_is_up && ! $cancelled ]] && ((status == 130 || status == 143)); then # 143: it was not listening yet
    if [[ $(snapshots) == "$before" ]]; then
        say "not queued again: the time was too short for a snapshot, give more (--time)"
        exit 1
    fi
    say "asks to be queued again"
    scontrol requeue "$SLURM_JOB_ID" || say "error: not queued again: Slurm refused"
fi
exit $status # a failure is 1 or 2, and not queued again: its reason is in run.json
