"""A plan's services as containers: what Docker Compose reads, and Docker Compose driven."""
