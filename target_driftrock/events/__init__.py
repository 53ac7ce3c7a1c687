"""What is sent, and what becomes of it: events, identities, answers, outcomes.

Plain frozen values. This package must not do I/O, read a clock, or know Singer, HTTP or SQL.
"""
