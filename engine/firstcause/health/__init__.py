"""Looks at components: runs probes side by side, and sees which settings the application has."""
