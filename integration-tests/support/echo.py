"""A vendor of OpenAI's dialect that says what it is told, and remembers it."""

import http.server
import json
import threading

PIECE = 7


class Echo:
    """A server on a free port."""

    def __init__(self) -> None:
        self.told: list[str] = []
        told = self.told

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                told.append(body.decode())
                request = json.loads(body)
                text = request["messages"][-1]["content"]
                stream = request.get("stream", False)
                answer = streamed(text) if stream else json.dumps(whole(text)).encode()
                self.send_response(200)
                self.send_header("content-type", "text/event-stream" if stream else "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self) -> "Echo":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()


def call(text: str) -> dict:
    return {"id": "call_1", "type": "function", "function": {"name": "repeat", "arguments": json.dumps({"text": text})}}


def whole(text: str) -> dict:
    message = {"role": "assistant", "content": text, "tool_calls": [call(text)]}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "echo", "choices": [choice], "usage": usage}


def streamed(text: str) -> bytes:
    def event(delta: dict, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "echo", "choices": [choice]}).encode() + b"\n\n"

    def cut(all_of_it: str) -> list[str]:
        return [all_of_it[at : at + PIECE] for at in range(0, len(all_of_it), PIECE)]

    begun = call("") | {"index": 0}
    begun["function"]["arguments"] = ""
    arguments = call(text)["function"]["arguments"]
    events = [event({"role": "assistant", "content": ""}), *(event({"content": part}) for part in cut(text)), event({"tool_calls": [begun]})]
    events += [event({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}) for part in cut(arguments)]
    return b"".join([*events, event({}, "tool_calls"), b"data: [DONE]\n\n"])
