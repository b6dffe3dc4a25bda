"""For stores that send no events: listings become hints, for functions or for the bridge."""
