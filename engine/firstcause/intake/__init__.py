"""Takes senders' bytes in: reads events, keeps limits, counts, and stores the events on disk."""
