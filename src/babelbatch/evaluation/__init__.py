"""Encode once, score, rank, measure."""
