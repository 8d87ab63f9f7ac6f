"""Learner, GradCache, callbacks, checkpoints."""
