"""A Tick for people and programs: topics, status."""
