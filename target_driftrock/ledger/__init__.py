"""What a run leaves behind: intents, outcomes, what captures have proven, kept rows, receipts, the lock.

`interface` is what delivery works on, `threaded` any ledger on a thread of its own. Of the durable one, `location`
says where it lies, `database` what `sqlite` and `postgres` do each in its own way, `exclusive` how it is held, `tables`
what lies in it, `write_batch` what a transaction comes to, and `durable` is a run's ledger; `reading`, `erasing`,
`settling` and `inspection` serve the commands. This package decides nothing about sending.
"""
