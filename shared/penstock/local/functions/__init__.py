"""Functions of the local stack, as processes that start from zero and stop when idle."""
