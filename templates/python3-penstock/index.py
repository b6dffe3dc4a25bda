"""What the image runs: the function beside this file, served on $PORT (8080)."""

import sys
from pathlib import Path

from penstock.serve import main

if __name__ == "__main__":
    folder = Path(__file__).parent / "function"
    # All addresses: callers come from other pods.
    sys.exit(main([str(folder), "--host", "0.0.0.0", *sys.argv[1:]]))
