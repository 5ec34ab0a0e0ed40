"""What the command line and the status page ask about the stored state."""
