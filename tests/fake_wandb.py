"""A W&B server on the loopback interface: as much of it as a run needs.

It keeps what arrives, and can fall silent or die.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from processes import PATIENCE


class Run:
    """What the server knows of one run."""

    def __init__(self) -> None:
        self.config: dict[str, dict] = {}
        self.entity: str | None = None
        self.group: str | None = None
        self.job_type: str | None = None
        self.history: list[dict[str, object]] = []
        self.summary: dict[str, object] = {}
        self.exit_code: int | None = None

    def definitions(self) -> dict[str, tuple[str | None, set[str]]]:
        """What `define_metric` said: name or pattern -> its step metric, and the summaries asked for.

        As wandb's telemetry writes it: "1" is the name, "2" the pattern, "5" the place of the step metric in the list,
        counted from 1, "7" the numbers of the summaries.
        """
        defined = self.config["_wandb"]["value"]["m"]
        names = [metric.get("1") or metric["2"] for metric in defined]
        kinds = {1: "min", 2: "max", 3: "mean", 5: "last"}
        return {
            name: (names[metric["5"] - 1] if "5" in metric else None, {kinds[flag] for flag in metric.get("7", [])})
            for name, metric in zip(names, defined, strict=True)
        }


class Server(ThreadingHTTPServer):
    """Threads that still wait for a client do not keep the test alive; clients that go away are not an error."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        pass


class Backend:
    """`with Backend() as backend`: serves at `backend.url`, until `die` or the end of the block."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = defaultdict(Run)
        self.files: dict[str, bytes] = {}
        self.views: dict[str, dict] = {}
        self.knows_the_key = True
        self._silent = threading.Event()
        self._dead = threading.Event()
        self._change = threading.Condition()

    def __enter__(self) -> Backend:
        class Handler(_Handler):
            backend = self

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        if not self._dead.is_set():
            self.die()

    def die(self) -> None:
        """Nobody listens any more: connections are refused."""
        self._dead.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fall_silent(self) -> None:
        """Connections are accepted, and never answered."""
        self._silent.set()

    def environment(self) -> dict[str, str]:
        """The variables of a process that logs to this server."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": "0" * 40, "WANDB_ERROR_REPORTING": "false"}

    def wait_for_run(self, timeout: float = PATIENCE) -> None:
        """Until a run has started."""
        with self._change:
            assert self._change.wait_for(lambda: self.runs, timeout), f"no run started within {timeout} s"

    def answers(self) -> bool:
        """Whether a request is answered; waits as long as the server is silent."""
        if self._silent.is_set():
            self._dead.wait()
        return not self._dead.is_set()

    def receive(self, name: str, stream: dict) -> None:
        """One delivery of history and summary, and at the end the exit code."""
        run = self.runs[name]
        with self._change:
            for file, content in stream.get("files", {}).items():
                if file == "wandb-history.jsonl":
                    run.history += [json.loads(line) for line in content["content"]]
                elif file == "wandb-summary.json":
                    run.summary = json.loads(content["content"][-1])
            if stream.get("complete"):
                run.exit_code = stream["exitcode"]
            self._change.notify_all()

    def answer(self, operation: str, variables: dict) -> dict:
        """The data of a GraphQL reply."""
        project = {"id": "p", "name": "trial", "entity": {"id": "e", "name": "us"}}
        if operation == "Viewer":
            return {"viewer": {"id": "u", "entity": "us", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        if operation == "GetDefaultEntity":
            return {"viewer": {"id": "u", "entity": "us"}}
        if operation == "View":
            views = {f"{view['entityName']}/{view['projectName']}/{view['name']}": view for view in self.views.values()}
            view = views.get(f"{variables['entityName']}/{variables['name']}/{variables['viewName']}")
            views = {"allViews": {"edges": [] if view is None else [{"node": view}]}}
            return {"project": views if variables["name"] == project["name"] else None}
        if operation == "UpsertView2":
            inserted = "id" not in variables
            view = variables | {"id": f"view{len(self.views)}"} if inserted else variables
            self.views[view["id"]] = view
            return {"upsertView": {"view": {"id": view["id"], "name": view["name"]}, "inserted": inserted}}
        if operation == "RunResumeStatus":
            return {"model": {**project, "bucket": self._past(variables["name"])}}
        if operation == "UpsertBucket":
            run = self.runs[variables["name"]]
            run.entity = run.entity or variables.get("entity")  # later the client repeats what it is answered
            run.group = variables.get("groupName") or run.group
            run.job_type = variables.get("jobType") or run.job_type
            run.config |= json.loads(variables.get("config") or "{}")
            with self._change:
                self._change.notify_all()
            bucket = {"id": "r", "name": variables["name"], "config": "{}", "project": project}
            bucket["displayName"] = variables.get("displayName") or "n"
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if operation == "CreateRunFiles":
            files = [{"name": name, "uploadUrl": self._upload(name)} for name in variables["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        if operation == "RunStoppedStatus":
            return {"project": {"run": {"stopped": False}}}
        if operation == "CreateArtifact":
            sequence = {"id": "s", "latestArtifact": None}
            return {"createArtifact": {"artifact": {"id": "a", "state": "PENDING", "artifactSequence": sequence}}}
        if operation in {"CreateArtifactManifest", "UpdateArtifactManifest"}:
            manifest = {"id": "m", "file": self._artifact_file("manifest")}
            return {operation[0].lower() + operation[1:]: {"artifactManifest": manifest}}
        if operation == "CreateArtifactFiles":
            names = [file["name"] for file in variables["input"]["artifactFiles"]]
            edges = [{"node": self._artifact_file(name)} for name in names]
            return {"createArtifactFiles": {"files": {"edges": edges}}}
        if operation == "CommitArtifact":
            return {"commitArtifact": {"artifact": {"id": "a", "digest": "d"}}}
        return {"ArtifactType": {"project": None}, "ServerFeaturesQuery": {"serverInfo": {"features": []}}}.get(
            operation, {}
        )

    def _past(self, name: str) -> dict | None:
        """What a resumed run is told of itself."""
        if name not in self.runs:
            return None
        run = self.runs[name]
        return {
            "id": "r", "name": name, "displayName": "n", "notes": None, "tags": [],
            "summaryMetrics": json.dumps(run.summary), "config": json.dumps(run.config),
            "wandbConfig": json.dumps({"t": 1}), "logLineCount": 0, "eventsLineCount": 0, "eventsTail": "[]",
            "historyLineCount": len(run.history),
            "historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]),
        }  # fmt: skip

    def _artifact_file(self, name: str) -> dict:
        return {
            "id": "f", "name": name, "displayName": name, "storagePath": name, "artifact": {"id": "a"},
            "uploadUrl": self._upload(name), "uploadHeaders": [], "uploadMultipartUrls": None,
        }  # fmt: skip

    def _upload(self, name: str) -> str:
        return f"{self.url}/upload/{name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    backend: Backend

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._reply({})

    def do_PUT(self) -> None:
        content = self._body()
        if not self.backend.answers():
            self.close_connection = True
            return
        self.backend.files[self.path.removeprefix("/upload/")] = content
        self._reply({})

    def do_POST(self) -> None:
        body = json.loads(self._body())
        if not self.backend.knows_the_key:
            self.send_error(401)
        elif not self.backend.answers():
            self.close_connection = True
        elif "graphql" in self.path:
            (operation,) = re.findall(r"(?:query|mutation)\s+(\w+)", body["query"])[:1]
            self._reply({"data": self.backend.answer(operation, body.get("variables") or {})})
        else:  # /files/<entity>/<project>/<run>/file_stream
            self.backend.receive(self.path.split("/")[-2], body)
            self._reply({"limits": {}})

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
        return gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body

    def _reply(self, reply: dict) -> None:
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
