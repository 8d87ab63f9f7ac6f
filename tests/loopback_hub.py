"""A model hub on the loopback interface: what huggingface_hub asks of the real one, for folders on this disk."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "1" * 40
_REVISION = "(main|[0-9a-f]{40})"


@contextmanager
def serving(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Serves each folder <root>/<owner>/<name> as a model or data set, and <root>/web as it is. Gives the address for
    HF_ENDPOINT, and the files fetched so far, as "<owner>/<name>/<path>" or "web/<path>"."""
    fetched: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if found := re.fullmatch(rf"/(?:datasets/)?([^/]+/[^/]+)/resolve/{_REVISION}/(.+)", path):
                self.file(found[1], found[3], _commit(found[2]))
            elif found := re.fullmatch(rf"/api/(?:models|datasets)/([^/]+/[^/]+)/revision/{_REVISION}", path):
                about = json.dumps({"id": found[1], "sha": _commit(found[2])}).encode()
                self.send(about if (root / found[1]).is_dir() else None)
            elif found := re.fullmatch(rf"/api/(?:models|datasets)/([^/]+/[^/]+)/tree/{_REVISION}", path):
                folder = root / found[1]
                files = sorted(file for file in folder.rglob("*") if file.is_file())
                listed = [
                    {
                        "type": "file",
                        "path": str(file.relative_to(folder)),
                        "size": file.stat().st_size,
                        "oid": tag(file),
                    }
                    for file in files
                ]
                self.send(json.dumps(listed).encode())
            elif path.startswith("/web/") and (root / path[1:]).is_file():
                if self.command == "GET":
                    fetched.append(path[1:])
                self.send((root / path[1:]).read_bytes())
            else:
                self.send(None)

        def file(self, model: str, name: str, commit: str) -> None:
            file = root / model / name
            if not file.is_file():
                code = "EntryNotFound" if (root / model).is_dir() else "RepoNotFound"
                self.send(None, {"X-Error-Code": code, "X-Repo-Commit": commit})
                return
            if self.command == "GET":
                fetched.append(f"{model}/{name}")
            self.send(file.read_bytes(), {"ETag": f'"{tag(file)}"', "X-Repo-Commit": commit})

        def send(self, content: bytes | None, headers: dict[str, str] | None = None) -> None:
            self.send_response(404 if content is None else 200)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content or b"")

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", fetched
    finally:
        server.shutdown()
        server.server_close()


def _commit(revision: str) -> str:
    """That a revision names. A repository has every commit, all with the same files."""
    return COMMIT if revision == "main" else revision


def tag(file: Path) -> str:
    """As git computes it, and so the hub for small files."""
    content = file.read_bytes()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
