"""Driftrock's API as a double on loopback: what its public pages demand, faults on request, and a memory of what came.

It imports nothing else of this project, but for `pages`, which knows no event: a witness that shared our code would
agree with our mistakes. It never asks for an account, never listens beyond loopback, and never logs what it was sent.
"""
