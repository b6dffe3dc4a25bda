"""A user's function: its options, and its folder loaded."""
