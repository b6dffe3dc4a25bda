"""One file for each word that is typed after `penstock`; argparse is used nowhere else."""
