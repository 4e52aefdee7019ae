"""From the routing table and an environment's variables to services on machines."""
