"""The encoder: backbone, pooling, projection and normalisation. It knows nothing of training.

`backbones` builds one (`pretrained`, `tiny`, `static`), `model.Encoder` is one, `folder` saves and loads it.
A new kind of encoder is a function in `backbones.py` that returns an `Encoder`, and a YAML in `conf/encoder/`.
"""

from babelbatch.encoder.attention import is_unpadded
from babelbatch.encoder.backbones import pretrained, static, tiny
from babelbatch.encoder.device import device_of
from babelbatch.encoder.digest import unstored_buffers_digest, weights_digest
from babelbatch.encoder.folder import load, load_architecture, save, save_architecture
from babelbatch.encoder.interpolation import interpolated
from babelbatch.encoder.model import Encoder, Role
from babelbatch.encoder.round_trip import check_saved

__all__ = [
    "Encoder",
    "Role",
    "check_saved",
    "device_of",
    "interpolated",
    "is_unpadded",
    "load",
    "load_architecture",
    "pretrained",
    "save",
    "save_architecture",
    "static",
    "tiny",
    "unstored_buffers_digest",
    "weights_digest",
]
