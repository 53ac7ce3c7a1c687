"""The way of an event from the sinks to its outcome: order, concurrency, retries, judgement.

One event loop in one thread. `handoff` is the door; the rest is behind it. This package must not know
Singer's messages or the ledger's tables.
"""
