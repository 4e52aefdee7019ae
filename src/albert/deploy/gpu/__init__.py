"""The graphics card of a machine in the cloud: attached for a deployment, detached after it."""
