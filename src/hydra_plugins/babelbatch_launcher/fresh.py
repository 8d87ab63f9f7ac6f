"""`hydra/launcher=fresh`. Hydra takes launchers only from the package `hydra_plugins`."""

from hydra._internal.core_plugins.basic_launcher import BasicLauncher


class FreshLauncher(BasicLauncher):
    """One job after the other, as Hydra's own launcher. That each runs in a process of its own is the job function's
    doing (`babelbatch.jobs.sweep`), which looks for this class: so there is one place that skips, locks and reports."""
