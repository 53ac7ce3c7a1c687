"""What a run leaves behind: intents, outcomes, what captures have proven.

`interface` is what delivery works on, `journal` the asynchronous front of any ledger. This package
decides nothing about sending.
"""
