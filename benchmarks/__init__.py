"""What measures, and writes what it found to docs/measurements with commit, machine and date.

No test: they take minutes, and a figure is no verdict.
"""
