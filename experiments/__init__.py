"""The experiments: what is asked for, what is there, and the child process that fine-tunes.

runs.py        dataset x network x view x start x seed, and where each run is kept
prototxts.py   solver and net as a person left them -> what really runs (remarks.py: what to say of it)
weights.py     the pretrained models: which they are, whether they are there; download.py fetches them
unwritten.py   nets and solvers that `run` writes first, of a dataset that the paper does not know
planning.py    run + prototxts + pretrained model + threads -> a job (job.py), or done already
doctor.py      what this machine lacks, finding by finding (finding.py), of its datasets by doctor_datasets.py
preflight.py   each job tried, in seconds, before it starts; footprint.py: the memory that its nets take
memory.py      whether the runs that will be side by side can fit into what is free
staging.py     a copy of the stores on this machine's own disk, where it is asked for
sweep.py       the command `run`: all of these, then launch.py: one child process a run, on its GPU or cores
finetuning.py  the child: build, start (transfer.py) or resume (snapshots.py), then for each stop of course.py:
step (losses.py, pulse.py), evaluate (evaluation.py), snapshot; record.py keeps run.json
holder.py      who is at work on a run, on a disk that machines share
run_folder.py  what is kept, and the one predicate of a result; failures.py: why a child died, display.py: progress
submit.py      the command `submit`: what is left as jobs of Slurm (slurm.py), handed over or printed (desk.py)
sbatch.py      what sbatch is told of a job; lead.py: how long before the end of its time the job is told
"""
