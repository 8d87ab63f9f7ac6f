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


@contextmanager
def serving(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Serves each folder <root>/<owner>/<name> as a model. Gives the address for HF_ENDPOINT, and the files fetched so
    far, as "<owner>/<name>/<path>"."""
    fetched: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/(?:main|1{40})/(.+)", path):
                self.file(*found.groups())
            elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/main", path):
                self.send(json.dumps({"id": found[1], "sha": COMMIT}).encode() if (root / found[1]).is_dir() else None)
            elif found := re.fullmatch(rf"/api/models/([^/]+/[^/]+)/tree/{COMMIT}", path):
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
            else:
                self.send(None)

        def file(self, model: str, name: str) -> None:
            file = root / model / name
            if not file.is_file():
                code = "EntryNotFound" if (root / model).is_dir() else "RepoNotFound"
                self.send(None, {"X-Error-Code": code, "X-Repo-Commit": COMMIT})
                return
            if self.command == "GET":
                fetched.append(f"{model}/{name}")
            self.send(file.read_bytes(), {"ETag": f'"{tag(file)}"', "X-Repo-Commit": COMMIT})

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


def tag(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()
