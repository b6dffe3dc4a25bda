"""Large objects become Kubernetes Jobs that run the function's own image once: `penstock run`.

offload.py                 the hook that a function calls: one Job per object state
manifest.py                what a Job says, as a pure function of object and settings
job.py policy.py           a Job as the watcher sees it; who may start, what has to be settled
watcher.py dead_letter.py  `penstock jobs watch`: admits, settles, dead-letters
access.py api.py           where the Kubernetes API is; the few calls that are made to it
pod.py                     the security of every pod, and its user
measures.py                what the watcher counts
"""
