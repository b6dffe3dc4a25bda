"""What `penstock demo` does: inputs made, sent through the functions, outputs read back and checked."""
