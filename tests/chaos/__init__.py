"""`make chaos`: seeded campaigns of operations and faults on the real servers and processes.

model.py        what must be true at the end
operations.py   what users of the lake do, and what strangers do
http_relay.py   a relay for HTTP, which the next one and the splitter are made from
fault_proxy.py  a proxy between functions and store that breaks answers
notices.py      a relay between MinIO and the bridge that drops, doubles, delays and reorders events
lake.py         the servers and processes of one campaign
acts.py         faults of processes, servers and requests
disk_acts.py    full volumes (volumes.py) and removed files
clock.py        clocks that jump (clock.c)
versions.py     two versions of a function, buckets with versions, more calls than a function takes
faults.py       which of them come, and when
checks.py       compares the lake with the model
campaign.py     one seed from start to verdict
"""
