"""The seed's scenario, played end to end on loopback."""
