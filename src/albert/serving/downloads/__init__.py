"""From a hub of models to the disk: what is chosen, brought, checked, then put in place at once."""
