"""What `make demo` runs. It shows, and tests nothing."""
