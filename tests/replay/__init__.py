"""Tests of jupyter_runbook.replay."""
