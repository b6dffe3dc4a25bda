"""Settings: what they are, and how they are read from the environment, secret files and stack.yml."""
