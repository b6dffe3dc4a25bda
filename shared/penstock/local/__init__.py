"""The embedded stack: an object store, a gateway with scale to zero and a console page, on one machine."""
