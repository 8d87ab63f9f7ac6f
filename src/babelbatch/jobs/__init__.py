"""From the command line to jobs."""
