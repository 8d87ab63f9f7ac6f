"""Saves a workspace on the W&B server. Saving it again updates the same workspace."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import wandb
import wandb_workspaces.workspaces.interface as ws

from babelbatch.dashboard.panels import updated
from babelbatch.loggers.wandb_service import end_service

_ANSWER_SECONDS = 15  # for the server's first answer
_SECONDS = 60  # for everything


class NotSaved(Exception):
    """The workspace could not be saved; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Saved:
    """url: of the workspace. created: whether it is new."""

    url: str
    created: bool


def save(make: Callable[[str], ws.Workspace], entity: str | None) -> Saved:
    """Creates the workspace, or updates the one that was saved under its name before. Takes at most a minute.

    make: returns the workspace of an entity. entity: None means the default of the user's account.
    The server stores a workspace under a hash of entity, project and name, so that every machine finds it again:
    wandb-workspaces has no search.
    Raises NotSaved if the user is not logged in, or the server does not answer or refuses.
    """
    outcome: list[Saved | Exception] = []

    def work() -> None:
        try:
            outcome.append(_save(make, entity))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="dashboard", daemon=True)
    thread.start()
    thread.join(_SECONDS)
    if not outcome:
        end_service(kill=True)
        raise NotSaved(f"W&B did not answer within {_SECONDS} seconds")
    (result,) = outcome
    if isinstance(result, NotSaved):
        raise result
    if isinstance(result, Exception):
        raise NotSaved(f"W&B refused ({type(result).__name__}: {_line(result)})") from result
    return result


def stored_name(entity: str, project: str, name: str) -> str:
    """11 characters that end the workspace's address: `https://wandb.ai/<entity>/<project>?nw=<stored name>`."""
    return hashlib.sha256("\n".join((entity, project, name)).encode()).hexdigest()[:11]


def _line(error: Exception) -> str:
    """The first line of its message: a server may answer with a whole page."""
    return (str(error).splitlines() or [""])[0]


def _save(make: Callable[[str], ws.Workspace], entity: str | None) -> Saved:
    wandb.setup(wandb.Settings(silent=True))
    logged_in = False
    with suppress(Exception):  # a key of the wrong form
        logged_in = wandb.login(prompt=False, verify=False)  # reads files and variables only
    if not logged_in:
        raise NotSaved("not logged in to W&B; run `wandb login` or set WANDB_API_KEY")
    try:
        api = wandb.Api(timeout=_ANSWER_SECONDS)
        workspace = make(entity or api.default_entity or "")
    except wandb.errors.CommError as error:  # also for a server that cannot be reached
        raise NotSaved(
            f"W&B cannot be reached or does not accept the key ({_line(error)}); check network, server and key"
        ) from error
    if not workspace.entity:
        raise NotSaved("the W&B account has no default entity; name one with entity=my_team")
    stored = stored_name(workspace.entity, workspace.project, workspace.name)
    earlier = _earlier(f"{api.settings['base_url']}/{workspace.entity}/{workspace.project}?nw={stored}")
    if earlier is not None:
        workspace = updated(earlier, workspace)
    else:
        workspace._internal_name = f"nw-{stored}-v"  # wandb-workspaces would draw a random one
    workspace.save()  # type: ignore[no-untyped-call]  # wandb-workspaces does not annotate it
    return Saved(workspace.url, created=earlier is None)


def _earlier(url: str) -> ws.Workspace | None:
    try:
        workspace: ws.Workspace = ws.Workspace.from_url(url)
        return workspace
    except ValueError as error:
        message = str(error)
        if message.startswith("Workspace `"):  # not found in the project
            return None
        if message.startswith("Project `"):
            raise NotSaved(f"{message} The first run that logs to it creates it.") from error
        raise NotSaved(f"the earlier workspace {url} cannot be read ({_line(error)}); choose another name=") from error
