"""The index function over a store in memory: what is left is its own cost. OBJECTS keys hold the same small CSV."""

import gc
import os
from pathlib import Path

from penstock.process.log import set_up_logging
from penstock.process.metrics import Metrics
from penstock.serving.app import create_app
from penstock.serving.health import Health
from penstock.serving.wiring import make_runtime
from penstock.settings.environment import load_config
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef

ROWS = b"email, name, type, birthday, state\n" + b"a@example.com,Ann Lee,A+,1970-01-01,Ohio\n" * 20

config = load_config(os.environ, function="index")
store = MemoryStore("upload")
for number in range(int(os.environ["OBJECTS"])):
    store.put(ObjectRef("upload", f"in/{number}.csv"), [ROWS], content_type="text/csv")
set_up_logging(config.log_level)
runtime = make_runtime(Path(__file__).parents[2] / "functions" / "index", config, store)
app = create_app(runtime, Health(runtime), Metrics("index"))
# As penstock.serve does. The store's objects are the bench's: no function would have its collector visit them.
gc.collect()
gc.freeze()
