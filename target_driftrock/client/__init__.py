"""HTTP/1.1 as token and events need it: how a connection comes to stand, and one request with its answer on it.

This package must not know an event, retry, follow a redirect, or judge what it is told.
"""
