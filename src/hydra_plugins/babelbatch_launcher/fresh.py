"""`hydra/launcher=fresh`. Hydra takes launchers only from the package `hydra_plugins`."""

from hydra._internal.core_plugins.basic_launcher import BasicLauncher


class FreshLauncher(BasicLauncher):
    """Runs the jobs one after the other, as Hydra's own launcher. `babelbatch.jobs.sweep` looks for this class and
    starts a process for each job, so that one place skips, locks and reports."""
