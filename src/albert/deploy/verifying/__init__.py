"""Questions asked of a service once it is deployed, as its users will ask them."""
