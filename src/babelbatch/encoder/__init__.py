"""The encoder: backbone, pooling, projection and normalisation. It knows nothing of training.

`backbones` builds one (`pretrained`, `tiny`, `static`), `model.Encoder` is one, `folder` saves and loads it.
A new kind of encoder is a function in `backbones.py` that returns an `Encoder`, and a YAML in `conf/encoder/`.
"""

from babelbatch.encoder.attention import is_unpadded
from babelbatch.encoder.backbones import pretrained, static, tiny
from babelbatch.encoder.checksums import checksums_digest
from babelbatch.encoder.device import device_of
from babelbatch.encoder.digest import unstored_buffers_digest, weights_digest
from babelbatch.encoder.fingerprint import fingerprint
from babelbatch.encoder.float32 import in_float32
from babelbatch.encoder.folder import fetch_from_hub, load, load_architecture, save, save_architecture
from babelbatch.encoder.four_bit import (
    FourBitLinear,
    describe_four_bits,
    digest_in_four_bits,
    parameter_count,
    to_four_bits,
)
from babelbatch.encoder.graphs import Format, require_packages, write_graphs
from babelbatch.encoder.interpolation import interpolated
from babelbatch.encoder.model import Encoder, Role
from babelbatch.encoder.publishing import push_to_hub
from babelbatch.encoder.remote_code import needs_own_code
from babelbatch.encoder.round_trip import check_saved
from babelbatch.encoder.sentence_transformers_export import why_not_exportable
from babelbatch.encoder.truncation import truncated

__all__ = [
    "Encoder",
    "Format",
    "FourBitLinear",
    "Role",
    "check_saved",
    "checksums_digest",
    "describe_four_bits",
    "device_of",
    "digest_in_four_bits",
    "fetch_from_hub",
    "fingerprint",
    "in_float32",
    "interpolated",
    "is_unpadded",
    "load",
    "load_architecture",
    "needs_own_code",
    "parameter_count",
    "pretrained",
    "push_to_hub",
    "require_packages",
    "save",
    "save_architecture",
    "static",
    "tiny",
    "to_four_bits",
    "truncated",
    "unstored_buffers_digest",
    "weights_digest",
    "why_not_exportable",
    "write_graphs",
]
