"""The experiments: what to run, on which weights, the fine-tuning itself, its evaluation, and what is kept of it."""
