"""Who the public services are."""
