"""Test support for functions: a handler run on bytes, on a lake in memory, or as connectors deliver to it.

For tests only: nothing but `penstock test` imports this package, and no function in production needs it.

    run(handle, b"...", level=3)                what the handler makes of these bytes
    Lake(handle, sink="s3://processed/{key}")   the real runtime over a store in memory: objects, events, targets
    deliver(lake, lake.event("a.txt"))          one event as a connector delivers it, with its tries and dead letter
    MemoryStore("bucket")                       the store itself
"""

from penstock.store.memory import MemoryStore
from penstock.testing.calling import Output, run
from penstock.testing.delivering import Delivery, deliver, notification
from penstock.testing.lake import Lake

__all__ = ["Delivery", "Lake", "MemoryStore", "Output", "deliver", "notification", "run"]
