"""The demo: its facts, its story, and what a reader sees of it."""
