"""What will not work in a place where Penstock is to run, why, and what to do: one module for each kind of place."""
