"""What the suite itself is made of: how tests are shared out, limited, and given a sandbox."""
