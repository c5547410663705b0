"""Outside judges: one server that plays a moderation API, a model and a webhook, each as it is told."""

import http.server
import json
import socket
import threading
import time

# What each kind of judge answers that flags, or doesn't.
CATEGORIES = ("violence", "violence/graphic", "self-harm")


def moderation(flagged: bool, count: int = 1) -> dict:
    score = 0.9 if flagged else 0.01
    result = {"flagged": flagged, "categories": {name: flagged for name in CATEGORIES}, "category_scores": {name: score for name in CATEGORIES}}
    return {"id": "modr-1", "model": "omni-moderation-latest", "results": [result] * count}


def chat(said: str) -> dict:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
    usage = {"prompt_tokens": 70, "completion_tokens": 5, "total_tokens": 75}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "judge", "choices": [choice], "usage": usage}


class Judges:
    """A server on a free port. By default a text is flagged that holds the word `poison`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reset()
        judges = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                with judges.lock:
                    judges.asked.append({"path": self.path, "headers": dict(self.headers.items()), "body": json.loads(body), "at": time.monotonic()})
                    delay, status, answer = judges.delay.get(self.path, 0), judges.status, judges.answer
                    if judges.fails and judges.fails in body:
                        status = 500
                if delay:
                    time.sleep(delay)
                if answer is None:
                    answer = judges.verdict(self.path, body)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:
                    pass  # whoever asked has gone

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256

            def handle_error(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self) -> "Judges":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()

    def reset(self) -> None:
        """Forgets what was asked, and answers at once and by the word."""
        with self.lock:
            self.asked: list[dict] = []
            # Seconds, by path.
            self.delay: dict[str, float] = {}
            self.status = 200
            self.answer: object = None
            # The word with which a text is answered by an error.
            self.fails: str | None = None

    def verdict(self, path: str, body: str) -> dict:
        request = json.loads(body)
        if path.endswith("/moderations"):
            return moderation("poison" in json.dumps(request["input"]), len(request["input"]))
        if path.endswith("/chat/completions"):
            flagged = "poison" in request["messages"][-1]["content"]
            return chat(json.dumps({"flagged": flagged}))
        return {"action": "refuse" if "poison" in json.dumps(request["texts"]) else "allow", "reason": "zebrafish"}


def guard(kind: str, judges: Judges, **fields: object) -> dict:
    """A guard that has the server asked in this way; `judging` is a provider whose endpoint is the server's."""
    asks = {
        "moderation": {"moderation": {"provider": "judging", "threshold": 0.5}},
        "chat": {"chat": {"provider": "judging", "model": "judge", "instruction": "Nothing may speak of poison."}},
        "webhook": {"webhook": {"url": f"{judges.url}/judge?v=1", "credential": {"env": "TEST_JUDGE_TOKEN"}}},
    }[kind]
    return {"name": kind, "kind": "judge"} | asks | fields


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"
