"""`python -m penstock.serve FOLDER`: the command of an image. It does the same as `penstock serve FOLDER`."""

import sys

from penstock.commands.serve import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
