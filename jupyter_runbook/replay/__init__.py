"""Replay: a runbook, run unattended by papermill with our engine, and a work log that tells the truth."""
