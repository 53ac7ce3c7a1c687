"""From a record and its mapping's templates to an event, or to the reason why there is none.

Pure: no I/O, no clock. Templates are compiled once for each SCHEMA, so that a record costs look-ups only.
"""
