"""`make load`: the functions on a real MinIO under steady load and under more than they take.

callers.py   what is asked: objects that change, direct calls, and bursts
samples.py   memory and descriptors of the functions, and whether they grow
"""
