"""How languages write stack traces: a module for each family."""
