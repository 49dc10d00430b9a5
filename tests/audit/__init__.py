"""Tests of what reads work logs."""
