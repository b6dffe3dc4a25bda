"""The gateway of the local stack: OpenFaaS's paths, the console, and the way of each event to its functions."""
