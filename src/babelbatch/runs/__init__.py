"""A run's folder: file names, results, lock."""
