"""Notifies people: which route, which of its notifiers, and what happens when a notifier fails."""
