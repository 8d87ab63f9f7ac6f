"""Builds encoders: from published or saved weights, or small new ones with their own tokenizer."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

from babelbatch.encoder.attention import use_attention
from babelbatch.encoder.folder import load_pretrained
from babelbatch.encoder.model import Encoder, Settings
from babelbatch.encoder.static_model import new_static_model
from babelbatch.progress import announce, waiting

if TYPE_CHECKING:
    from babelbatch.encoder.attention import Attention
    from babelbatch.encoder.huggingface import WeightDtype
    from babelbatch.encoder.pooling import Pooling

log = logging.getLogger(__name__)

_SPECIAL_TOKENS = ["<s>", "<pad>", "</s>", "<unk>"]  # in XLM-R's order, which its configuration assumes

_LONGEST_RUN = 10_000  # characters; the time that training takes grows with the square of it
_RUN = re.compile(rf"[^ ]{{{_LONGEST_RUN}}}(?=[^ ])")


def pretrained(
    name_or_path: str,
    pooling: Pooling | None = None,
    query_prefix: str | None = None,
    passage_prefix: str | None = None,
    query_length: int | None = None,
    passage_length: int | None = None,
    dimensions: int | None = None,
    normalise: bool | None = None,
    shared: bool | None = None,
    attention: Attention | None = None,
    bidirectional: bool | None = None,
    append_eos: bool = False,
    dtype: WeightDtype = "float32",
    trust_remote_code: bool = False,
    query_prompts: Mapping[str, str] | None = None,
) -> Encoder:
    """An encoder from a folder that Hugging Face, sentence-transformers or babelbatch saved, on disk or on the hub.

    Settings that are None come from the folder if it stores them, as babelbatch and sentence-transformers do, else from
    the defaults of `Settings`.
    name_or_path: the folder, or the name on the hub. The others: see `Settings`.
    attention: how it is computed, see `use_attention`. It is not saved with the encoder.
    bidirectional: for a decoder, true lets each token attend to later ones, too, false to earlier ones only; None
        leaves it as the folder states. It is saved with the encoder.
    append_eos: end each text with the tokenizer's end-of-text token, as decoders with `pooling=last` need; saved, too.
    dtype: of the backbone's weights. With another than float32 a teacher or an evaluation takes half of the memory, and
        vectors differ by a percent. Pooling and what follows are computed in float32. In training only weights that are
        frozen may be in bfloat16, those under the adapters of tuning=lora; the encoder is saved in float32.
    trust_remote_code: run the code that a model of the hub brings with it.
    query_prompts: prefixes for the queries of benchmarks, and of parts of a mixture of corpora, by their names,
        where it is not `query_prefix`: instructions of models such as Qwen3-Embedding differ by task.
    Raises ValueError if the configuration, the tokenizer or weights are missing or damaged.
    """
    announce(f"loading encoder {name_or_path}")
    log.info("loading the encoder %s", name_or_path)
    overrides = {
        "pooling": pooling,
        "query_prefix": query_prefix,
        "passage_prefix": passage_prefix,
        "query_length": query_length,
        "passage_length": passage_length,
        "dimensions": dimensions,
        "normalise": normalise,
        "shared": shared,
        "query_prompts": query_prompts,
    }
    return load_pretrained(
        name_or_path,
        overrides={name: value for name, value in overrides.items() if value is not None},
        trust_remote_code=trust_remote_code,
        attention=attention,
        bidirectional=bidirectional,
        with_eos=append_eos,
        dtype=dtype,
    )


def tiny(
    texts: Iterable[str],
    vocab_size: int = 8000,
    hidden_size: int = 128,
    layers: int = 2,
    heads: int = 4,
    pooling: Pooling = "mean",
    query_length: int = 48,
    passage_length: int = 64,
    dimensions: int | None = None,
    shared: bool = True,
    dropout: float = 0.1,
    attention: Attention | None = None,
) -> Encoder:
    """XLM-R's architecture, small and random, with a subword tokenizer trained on `texts`.

    vocab_size: of the tokenizer. hidden_size, layers, heads: of the transformer. dropout: of states and attention.
    attention: see `use_attention`. The others: see `Settings`.
    """
    if hidden_size % heads:
        raise ValueError(f"encoder.hidden_size: {hidden_size} is not a multiple of encoder.heads={heads}")
    tokenizer = train_tokenizer(texts, vocab_size)
    settings = Settings(
        pooling=pooling,
        query_length=query_length,
        passage_length=passage_length,
        dimensions=dimensions,
        shared=shared,
    )
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden_size,
        max_position_embeddings=max(query_length, passage_length) + 2,  # RoBERTa's positions start at padding_idx + 1
        type_vocab_size=1,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    backbone = XLMRobertaModel(config, add_pooling_layer=pooling == "pooler")
    use_attention(backbone, attention)
    return Encoder(backbone, tokenizer, settings)


def static(
    texts: Iterable[str],
    vocab_size: int = 8000,
    hidden_size: int = 128,
    query_length: int = 48,
    passage_length: int = 64,
    shared: bool = True,
) -> Encoder:
    """The mean of learned token embeddings: the floor for any transformer. Its tokenizer is trained on `texts`.

    vocab_size: of the tokenizer. hidden_size: of an embedding, and so of a vector. The others: see `Settings`.
    """
    tokenizer = train_tokenizer(texts, vocab_size)
    settings = Settings(query_length=query_length, passage_length=passage_length, shared=shared)
    return Encoder(new_static_model(len(tokenizer), hidden_size), tokenizer, settings)


def split_runs(text: str) -> str:
    """The text with a blank after every 10,000 characters of a run without one."""
    return _RUN.sub(r"\g<0> ", text) if len(text) > _LONGEST_RUN else text


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Trains a byte-pair tokenizer (Sennrich et al. 2016) on NFKC text, with XLM-R's special tokens. Deterministic.

    Runs of more than 10,000 characters without a blank, such as encoded files, are split for the training.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=_SPECIAL_TOKENS, show_progress=False)
    announce("training the tokenizer of a new encoder")
    with waiting("training the tokenizer"):
        tokenizer.train_from_iterator(map(split_runs, texts), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )
