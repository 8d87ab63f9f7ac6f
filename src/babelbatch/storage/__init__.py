"""Caches and files that survive."""
