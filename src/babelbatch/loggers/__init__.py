"""Curves on disk and in Weights & Biases. They survive a resume, and never stop or slow the training.

`csv_curves` writes the CSV file, `wandb_run` the W&B run, `wandb_service` ends the process that wandb keeps beside
ours. Only rank 0 logs.
"""

__all__ = ["wandb_run", "wandb_service"]
