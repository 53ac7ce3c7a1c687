"""Singer's side: lines to messages, the validation of records, and how far STATE may move.

Knows nothing of events, of mappings or of HTTP.
"""
