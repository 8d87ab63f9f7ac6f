"""What a model folder says about itself, in babelbatch's or in sentence-transformers' files."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

from babelbatch.encoder.model import Settings

SETTINGS_FILE = "babelbatch.json"


def stored_settings(folder: Path) -> dict[str, object]:
    """Arguments of `Settings` that the folder states; none for a hub name or a plain Hugging Face folder."""
    if (folder / SETTINGS_FILE).exists():
        stored = _read(folder / SETTINGS_FILE)
        return {field.name: stored[field.name] for field in fields(Settings) if field.name in stored}
    if (folder / "modules.json").exists():
        return _sentence_transformers_settings(folder)
    return {}


def _sentence_transformers_settings(folder: Path) -> dict[str, object]:
    """Pooling, length and normalisation of a sentence-transformers folder.

    Raises ValueError for modules that an `Encoder` has no equivalent of: a silent difference would be worse.
    """
    listed = _read(folder / "modules.json")
    modules = [module["type"].rsplit(".", 1)[-1] for module in listed]
    if modules not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise ValueError(
            f"{folder}: sentence-transformers modules {modules} are not supported (Transformer, Pooling and Normalize "
            "are); point encoder.name_or_path at the transformer inside and set encoder.pooling"
        )
    pooling = _read(folder / listed[1]["path"] / "config.json")
    flags = {name.removeprefix("pooling_mode_") for name, on in pooling.items() if on is True}
    modes = [pooling["pooling_mode"]] if "pooling_mode" in pooling else sorted(flags - {"include_prompt"})
    known = {"mean_tokens": "mean", "mean": "mean", "cls_token": "cls", "cls": "cls"}
    if len(modes) != 1 or modes[0] not in known:
        raise ValueError(f"{folder}: pooling {modes} is not supported (mean or cls is)")
    main = _read_if_there(folder / "config_sentence_transformers.json")
    by_dot = "Normalize" not in modules and main.get("similarity_fn_name") == "dot"
    settings: dict[str, object] = {"pooling": known[modes[0]], "normalise": not by_dot}
    transformer = _read_if_there(folder / "sentence_bert_config.json")
    if transformer.get("do_lower_case"):
        raise ValueError(f"{folder}: do_lower_case in sentence_bert_config.json is not supported; lower-case the texts")
    if transformer.get("max_seq_length") is not None:
        settings |= dict.fromkeys(("question_length", "passage_length"), transformer["max_seq_length"])
    prompts = main.get("prompts") or {}
    default = prompts.get(main.get("default_prompt_name") or "", "")
    question = prompts.get("query") or default
    passage = prompts.get("document") or prompts.get("passage") or default
    return settings | {"question_prefix": question, "passage_prefix": passage}


def _read_if_there(path: Path) -> dict:
    return _read(path) if path.exists() else {}


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error}); save the model there again") from None
