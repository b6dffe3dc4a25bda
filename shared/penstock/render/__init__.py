"""`penstock render`: manifests made from stack.yml, so that both platforms are described by one file."""
