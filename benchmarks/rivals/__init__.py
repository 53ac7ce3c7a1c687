"""What else delivers records to an API over HTTP, each as its own documentation has one write it.

They run in `.venvs/bench`: `python -m benchmarks.rivals.NAME URL < leads.singer`.
"""
