"""One device behind one unit id: found, polled, and noticed when it is another one or stands still."""
