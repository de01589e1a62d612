"""`make witness`: software that others wrote judges derctl and the bench; it runs as programs of its own."""
