"""The plugin's definition in the form of Meltano's Hub, and as this repository's own project reads it."""
