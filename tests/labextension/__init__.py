"""What people see of records in JupyterLab, in a real browser."""
