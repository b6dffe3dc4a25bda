"""Word lists that ship with the package."""
