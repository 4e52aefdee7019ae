"""What the service says of its own routes: OpenAPI, and a page to read it."""
