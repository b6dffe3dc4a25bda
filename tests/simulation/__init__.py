"""`make simulate`: thousands of seeded schedules of connector, function and store, in one thread.

world.py    the store, the function's workers, the connector and the users, taking turns
power.py    the inbox on a disk that forgets what was not synced
mutations.py the safeguards that are taken away, to see that a schedule notices
"""
