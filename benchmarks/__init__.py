"""Proof by simulation and comparison: synthetic companies with planted truth, campaigns, peers. Not part of the package."""
