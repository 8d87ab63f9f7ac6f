"""Imported by the process that `preloaded.py` forks from: does once what every command would do anew."""

from __future__ import annotations

import gc
import logging
from importlib import import_module
from pkgutil import walk_packages

from hydra.core.singleton import Singleton

import babelbatch

_handler = logging.NullHandler()
logging.getLogger().addHandler(_handler)  # as in a job; where there is none, Lightning adds its own when it is imported
import_module("babelbatch.jobs.lightning_import").import_lightning()
for _name in (
    *(module.name for module in walk_packages(babelbatch.__path__, "babelbatch.")),
    "langcodes.language_distance", "matplotlib.backends.backend_agg", "matplotlib.figure", "pandas", "preloaded",
    "pyarrow.dataset", "wandb", "wandb_workspaces.workspaces.interface",
):  # fmt: skip
    import_module(_name)
logging.getLogger().removeHandler(_handler)

_hydra = Singleton.get_state()
import_module("babelbatch.configuration.schema").register()
compose_jobs = import_module("babelbatch.jobs.plan").compose_jobs
compose_jobs("train", ["encoder=tiny", "sampling.alpha=0,1"], multirun=True)  # compiles Hydra's parsers
Singleton.set_state(_hydra)
_facts = import_module("babelbatch.sources.world_facts")
_facts.split(0, 0.2)
for _language in ("de", "en", "zh"):  # those of most commands of the tests
    _facts.texts(_language)
import_module("transformers.conversion_mapping").get_checkpoint_conversion_mapping("bert")  # 1,000 expressions
gc.collect()
gc.freeze()  # what is here lives as long as the process: no collection of a command looks at it
