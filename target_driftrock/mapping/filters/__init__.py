"""Filters: what a template makes of a value on its way, `"{amount | number: comma}"`. Pure, and compiled once.

`table` is the closed table of them, `chain` joins those of one place; the other modules do the reading.
"""
