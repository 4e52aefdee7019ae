"""OpenAI's API, on raw ASGI."""
