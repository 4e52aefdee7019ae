"""How much each account may ask of the models."""
