"""The life of an event, from its door to its outcome: order, concurrency, retries, judgement.

One event loop in one thread. `door` is what others see of it. This package must not know
Singer's messages or the ledger's tables.
"""
