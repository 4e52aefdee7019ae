"""A plan's services as units of systemd, for the machine that they are written on."""
