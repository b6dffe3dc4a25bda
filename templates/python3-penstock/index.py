"""What the image runs: the function beside this file, served on $PORT (8080)."""

import sys
from pathlib import Path

from penstock.serve import main

if __name__ == "__main__":
    sys.exit(main([str(Path(__file__).parent / "function"), *sys.argv[1:]]))
