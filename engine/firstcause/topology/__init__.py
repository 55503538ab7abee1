"""Who calls whom, as firstcause knows it."""
