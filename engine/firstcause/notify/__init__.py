"""Says things to people: which route, which notifier of it, and what to do when it fails."""
