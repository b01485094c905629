"""Prefect flows: each reads on one screen, its steps are plain functions that also run without Prefect."""
