"""Commands that measure, and write what they found to docs/measurements with commit, machine and date.

No test: they take minutes, and a figure is no verdict.
"""
