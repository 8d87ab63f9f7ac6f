"""Uploads a folder to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from babelbatch.progress import waiting


def push_to_hub(folder: Path, name: str, *, private: bool) -> str:
    """Uploads all files of the folder as the model `name`, made if it does not exist. Returns its address.

    private: of a new model. Raises ValueError, with the reason, if the hub refuses or cannot be reached; nothing of the
    folder is lost.
    """
    api = HfApi()
    try:
        with waiting(f"uploading to {name}"):
            address = api.create_repo(name, private=private, exist_ok=True)
            api.upload_folder(repo_id=name, folder_path=folder, commit_message="Exported by babelbatch")
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"push_to_hub: {name} was not uploaded ({reason}); log in with `hf auth login`, check the name and the "
            f"connection, and upload {folder} with `hf upload {name} {folder}`"
        ) from error
    return str(address)
