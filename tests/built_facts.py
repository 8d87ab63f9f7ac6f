"""Builds the world facts, so that processes forked from one that has imported this do not."""

from babelbatch.sources.world_facts import facts

facts()
