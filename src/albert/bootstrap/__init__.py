"""Settings become objects here: the one place that chooses implementations."""
