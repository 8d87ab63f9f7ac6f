"""Checks across settings: values out of range, and settings that contradict each other; one file per topic.

Plain mappings of a configuration go in, lines `path: problem; remedy` come out. Nothing slow is imported.
"""

from babelbatch.configuration.rules.combinations import problems_between
from babelbatch.configuration.rules.contrasts import problems_of_contrasts
from babelbatch.configuration.rules.devices import problems_of_devices, problems_of_gpu
from babelbatch.configuration.rules.launchers import problems_of_launcher
from babelbatch.configuration.rules.ranges import leaves
from babelbatch.configuration.rules.ranks import problems_of_ranks_in_sweep
from babelbatch.configuration.rules.report_selection import problems_of_report_selection
from babelbatch.configuration.rules.sampling import problems_of_alpha
from babelbatch.configuration.rules.sweepers import directions_of, problems_of_sweeper

__all__ = [
    "directions_of",
    "leaves",
    "problems_between",
    "problems_of_alpha",
    "problems_of_contrasts",
    "problems_of_devices",
    "problems_of_gpu",
    "problems_of_launcher",
    "problems_of_ranks_in_sweep",
    "problems_of_report_selection",
    "problems_of_sweeper",
]
