"""What a training command imports before its first step."""

from processes import python


def test_training_starts_without_matplotlib_and_without_statistics() -> None:
    script = (
        "import sys\nfrom babelbatch.jobs.job import _entry\n_entry('train')\n"
        "import torchmetrics\nprint(sorted({'matplotlib', 'scipy.signal', 'scipy.stats'} & sys.modules.keys()))\n"
        "print(torchmetrics.MeanMetric()(2.0).item())"
    )
    assert python(script).stdout.splitlines()[-2:] == ["[]", "2.0"]
