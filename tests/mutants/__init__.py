"""`make mutants`: safety lines are changed one at a time, and the tests that name them must fail.

lines.py     the list: file, exact text, replacement, tests
__main__.py  applies each to a copy of the tree and runs its tests
"""
