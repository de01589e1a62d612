"""What lives on disk, or waits for the broker: the journal, the state, the outbox, the last ticks."""
