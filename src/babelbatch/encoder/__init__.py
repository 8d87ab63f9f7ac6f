"""The encoder: backbone, pooling, projection and normalisation. It knows nothing of training.

`pretrained`, `tiny` and `static` build one; `save` and `load` keep it in a folder (and `..._architecture`
all but its weights).
"""

from babelbatch.encoder.backbones import pretrained as pretrained
from babelbatch.encoder.backbones import static as static
from babelbatch.encoder.backbones import tiny as tiny
from babelbatch.encoder.folder import load as load
from babelbatch.encoder.folder import load_architecture as load_architecture
from babelbatch.encoder.folder import save as save
from babelbatch.encoder.folder import save_architecture as save_architecture
from babelbatch.encoder.model import Encoder as Encoder
from babelbatch.encoder.model import Settings as Settings
