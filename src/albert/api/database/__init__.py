"""PostgreSQL: sessions, schema, and what other workers tell."""
