"""What the service counts, in Prometheus's text form."""
