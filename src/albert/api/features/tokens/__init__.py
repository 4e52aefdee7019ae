"""What opens the API: tokens that users make."""
