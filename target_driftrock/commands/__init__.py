"""The program's commands, a module each. None of them sends an event."""
