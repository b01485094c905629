"""One campaign per module, run as `python -m benchmarks.campaigns.<name>`; results in benchmarks/results/."""
