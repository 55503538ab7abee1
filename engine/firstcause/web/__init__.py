"""HTTP: what the contract lists under /api/v1, and the two health pages."""
