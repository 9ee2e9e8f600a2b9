"""What is told of the runs: tables. Reads run folders and paper.toml, nothing else."""
