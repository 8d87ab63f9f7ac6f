"""The launcher of `hydra/launcher=fresh`."""
