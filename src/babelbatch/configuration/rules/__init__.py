"""What settings may not be, alone or together. Plain mappings of a configuration go in, lines that name path and remedy
come out; nothing is imported that takes time."""

from babelbatch.configuration.rules.combinations import problems_between as problems_between
from babelbatch.configuration.rules.devices import problems_of_devices as problems_of_devices
