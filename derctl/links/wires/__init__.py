"""What a bus speaks through: one connection, one request in flight."""
