"""Which models answer, and in which ways they can be asked."""
