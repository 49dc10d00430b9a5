"""``%%os``: a tenant's infrastructure, planned and converged."""
