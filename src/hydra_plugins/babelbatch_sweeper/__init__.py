"""The sweeper of `hydra/sweeper=optuna`."""
