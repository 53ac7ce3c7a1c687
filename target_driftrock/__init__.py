"""A Singer target that turns records into Driftrock events."""
