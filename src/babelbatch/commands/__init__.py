"""The composition roots, a file a command."""
