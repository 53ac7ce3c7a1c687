"""What else delivers records to an API over HTTP, each as its own documentation has one write it.

They run in `.venvs/bench`, and read what a tap says: `python -m benchmarks.rivals.dlt_destination URL < leads.singer`.
"""
