"""Nearest neighbours, vectors on disk, mining."""
