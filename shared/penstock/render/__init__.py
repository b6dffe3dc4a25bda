"""`penstock render`: manifests made from stack.yml, so that a platform's description cannot drift from the other's."""
