"""KEDA's own operator. `make keda` runs these tests; no other suite takes them in, for building KEDA takes long."""

from __future__ import annotations

import sys
from pathlib import Path

# Whether pytest was started as a program or as a module decides if the checkout is importable; here it always is.
sys.path.insert(0, str(Path(__file__).parents[2]))
