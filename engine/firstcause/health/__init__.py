"""Runs probes, takes snapshots, compares them with the last known good state, and forecasts."""
