"""`python -m penstock.serve FOLDER`: the command of an image. It does the same as `penstock serve FOLDER`."""

import gc
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    gc.disable()  # before the imports below: commands/serve.py says why, and enables it before it serves
    try:
        from penstock.commands.serve import main as serve

        return serve(argv)
    finally:
        gc.enable()


if __name__ == "__main__":
    sys.exit(main())
