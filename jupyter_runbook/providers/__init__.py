"""Our own providers; each is registered in pyproject.toml as any other package's would be."""
