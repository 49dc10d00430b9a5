"""Cell text → spec. Everything here only computes: no I/O, no SDK."""
