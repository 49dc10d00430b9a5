"""Tests of jupyter_runbook.spec."""
