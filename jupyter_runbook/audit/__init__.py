"""What reads work logs: it runs nothing, needs nothing but the file, and changes none."""
