"""A copy of what an API server holds: by a real HTTP server that lists, streams, expires and goes away."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.client import ApiClient, Configuration

from barista.platforms.knative.client import PODS, ApiServer, Refused
from barista.platforms.knative.watching import Reflector
from barista.ports.platform import PlatformUnavailable


def obj(name: str, version: int, **more: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": name, "resourceVersion": str(version)}, **more}


class Api:
    """Holds pods, hands each watch the events put into `events`, and remembers what was asked."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = [obj("a", 1), obj("b", 2)]
        self.version, self.page = 5, 100
        self.events: Queue[Any] = Queue()
        self.lists, self.watches = list[dict[str, str]](), list[dict[str, str]]()
        self.broken = False
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
                if api.broken:
                    self._say(503, {"message": "not now"})
                elif "watch" in query:
                    api.watches.append(query)
                    self._stream()
                else:
                    api.lists.append(query)
                    start = int(query.get("continue", 0))
                    more = str(start + api.page) if start + api.page < len(api.items) else ""
                    meta = {"resourceVersion": str(api.version), "continue": more}
                    self._say(200, {"metadata": meta, "items": api.items[start : start + api.page]})

            def do_PATCH(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._say(400, {"message": f"no: {json.dumps(body)}", "reason": "BadRequest"})

            def _stream(self) -> None:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                while (event := api.events.get()) is not None:
                    data = json.dumps(event).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.write(b"0\r\n\r\n")

            def _say(self, status: int, body: Any) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def server(self) -> ApiServer:
        configuration = Configuration(host=f"http://127.0.0.1:{self.http.server_address[1]}", proxy="")
        configuration.retries = False
        return ApiServer(ApiClient(configuration))


@pytest.fixture
def api() -> Iterator[Api]:
    it = Api()
    yield it
    it.events.put(None)
    it.http.shutdown()
    it.http.server_close()


@pytest.fixture
def pods(api: Api) -> Iterator[Reflector]:
    reflector = Reflector(api.server(), PODS)
    yield reflector
    reflector.stop()
    api.events.put(None)


def until(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.02)


def names(reflector: Reflector) -> set[str]:
    return {one["metadata"]["name"] for one in reflector.objects(60.0)}


def test_nothing_is_known_before_the_first_list(api: Api, pods: Reflector) -> None:
    api.broken = True
    pods.start()
    with pytest.raises(PlatformUnavailable, match="never"):
        pods.objects(60.0)


def test_a_list_in_pages_then_events_from_its_version_on(api: Api, pods: Reflector) -> None:
    api.page = 1
    pods.start()
    until(lambda: pods.age_s() is not None)
    assert names(pods) == {"a", "b"}
    until(lambda: bool(api.watches))
    assert api.watches[0]["resourceVersion"] == "5"
    api.events.put({"type": "ADDED", "object": obj("c", 6)})
    api.events.put({"type": "DELETED", "object": obj("a", 7)})
    until(lambda: names(pods) == {"b", "c"})


def test_a_watch_that_ends_goes_on_from_the_last_bookmark_without_a_list(api: Api, pods: Reflector) -> None:
    pods.start()
    until(lambda: bool(api.watches))
    api.events.put({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "90"}}})
    api.events.put(None)
    until(lambda: len(api.watches) == 2)
    assert api.watches[1]["resourceVersion"] == "90"
    assert len(api.lists) == 1
    assert names(pods) == {"a", "b"}


def test_an_expired_version_is_followed_by_a_new_list(api: Api, pods: Reflector) -> None:
    pods.start()
    until(lambda: bool(api.watches))
    api.items = [obj("b", 2), obj("d", 200)]
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    api.events.put({"type": "ERROR", "object": gone})
    api.events.put(None)
    until(lambda: names(pods) == {"b", "d"})
    assert len(api.lists) == 2


def test_a_copy_that_is_cut_off_grows_old_and_says_so(api: Api, pods: Reflector) -> None:
    pods.start()
    until(lambda: bool(api.watches))
    assert pods.age_s() == 0.0
    api.broken = True
    api.events.put(None)
    until(lambda: (pods.age_s() or 0.0) > 0.1)
    assert names(pods) == {"a", "b"}
    with pytest.raises(PlatformUnavailable, match="not now"):
        pods.objects(0.05)
    api.broken = False
    until(lambda: pods.age_s() == 0.0)


def test_an_answer_to_our_own_write_is_taken_in_and_never_undone_by_an_older_event(
    api: Api, pods: Reflector
) -> None:
    pods.start()
    until(lambda: bool(api.watches))
    pods.take_in(obj("a", 50, mine=True))
    api.events.put({"type": "MODIFIED", "object": obj("a", 40)})
    api.events.put({"type": "ADDED", "object": obj("c", 51)})
    until(lambda: "c" in names(pods))
    assert {"mine": True}.items() <= next(o for o in pods.objects(60) if o["metadata"]["name"] == "a").items()


def test_a_refusal_has_the_servers_words_and_no_null_of_a_merge_patch_is_lost(api: Api) -> None:
    with pytest.raises(Refused, match=r"null") as refused:
        api.server().patch(PODS.path("default", "a"), {"metadata": {"annotations": {"x": None}}})
    assert (refused.value.status, refused.value.reason) == (400, "BadRequest")


def test_no_answer_is_not_a_refusal(api: Api) -> None:
    server = api.server()
    api.broken = True
    with pytest.raises(PlatformUnavailable):
        server.get(PODS.path("default", "a"))
    api.http.shutdown()
    api.http.server_close()
    with pytest.raises(PlatformUnavailable):
        server.get(PODS.path("default", "a"))
