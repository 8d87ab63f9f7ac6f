"""Whether this machine can have a GPU, without importing torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_DEVICES = ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/kfd", "/dev/dxg")  # Nvidia, Jetson, AMD, Windows' Linux
_HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def has_no_gpu() -> bool:
    """Whether this process certainly has no GPU: on Linux none of the drivers' device files exists, or the environment
    hides every GPU. False means that torch decides."""
    if any(os.environ.get(name) in ("", "-1") for name in _HIDING):
        return True
    return sys.platform == "linux" and not any(Path(device).exists() for device in _DEVICES)
