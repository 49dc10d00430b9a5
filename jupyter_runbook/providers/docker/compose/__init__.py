"""A Compose file → the model: `project` reads a cell, `composefile` a file and those that it takes something from."""
