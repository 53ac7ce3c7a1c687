"""Singer's pipe: lines to messages, stream maps, the loop that joins them to `records`, and how far STATE may move.

Knows nothing of HTTP and of SQL.
"""
