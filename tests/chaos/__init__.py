"""`make chaos`: seeded campaigns of operations and faults on the real servers and processes.

model.py        what must be true at the end
operations.py   what users of the lake do, and what strangers do
fault_proxy.py  a proxy between functions and store that breaks answers
notices.py      a relay between MinIO and the bridge that drops, doubles, delays and reorders events
lake.py         the servers and processes of one campaign
faults.py       what goes wrong, and when
checks.py       compares the lake with the model
campaign.py     one seed from start to verdict
"""
