"""HTTP on raw ASGI: one request and its answer, without a framework."""
