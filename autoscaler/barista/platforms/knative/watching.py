"""Watching: a copy in memory of the objects of one kind, kept up to date by a thread of its own.

A list, then a watch from its version on; the watch goes on from the last event or bookmark when it ends, and
from a new list when the server no longer knows that version. A copy that could not be kept up to
date says so: an old copy is never read as "nothing there". (The Kubernetes client's own informer says
neither how old its copy is nor reads objects without a generated model.)
"""

import random
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from barista.platforms.knative.client import ApiServer, Kind, Object, Refused
from barista.ports.platform import PlatformUnavailable

WATCH_S = 30
"""How long a watch lasts before it is begun again: a dead connection is found out this soon."""
SILENT_S = WATCH_S + 5
RESYNC_S = 600.0
"""How often all is listed again, so that nothing missed stays missing."""
PAGE = 500
RETRY_S = (0.2, 10.0)
"""Pause before the next attempt: at first, and at most."""
GONE = 410

Key = tuple[str, str]
"""Namespace (empty for what has none) and name."""


class Reflector:
    """Keeps a copy of the objects of `kind`: all, or those in `namespace` or with what `selectors` say."""

    def __init__(
        self,
        server: ApiServer,
        kind: Kind,
        *,
        namespace: str | None = None,
        selectors: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.changes = 0
        """How often the copy has changed: while that stands still, so does the copy."""
        self._server, self._path, self._selectors = server, kind.path(namespace), dict(selectors or {})
        self._objects: dict[Key, Object] = {}
        self._version: str | None = None
        self._contact_s = -1.0
        self._connected = False
        self._listed_s = 0.0
        self._fault = "not listed yet"
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {kind.plural}", daemon=True)

    def start(self) -> None:
        """Begin; what is there is known a moment later."""
        self._thread.start()

    def stop(self) -> None:
        """End; does not wait for it."""
        self._stop.set()

    def objects(self, stale_after_s: float) -> tuple[Object, ...]:
        """The objects as last seen. PlatformUnavailable when that is `stale_after_s` ago or never was."""
        self.require_fresh(stale_after_s)
        with self._lock:
            return tuple(self._objects.values())

    def require_fresh(self, stale_after_s: float) -> None:
        """PlatformUnavailable when the objects were last seen longer ago than `stale_after_s`, or never."""
        age_s = self.age_s()
        if age_s is None or age_s > stale_after_s:
            seen = "never" if age_s is None else f"{age_s:.0f} s ago"
            raise PlatformUnavailable(f"{self.kind.plural} were last seen {seen}: {self._fault}")

    def age_s(self) -> float | None:
        """Seconds since the copy was known to be up to date; 0 while the watch lasts, None before a list."""
        if self._contact_s < 0:
            return None
        return 0.0 if self._connected else time.monotonic() - self._contact_s

    def take_in(self, obj: Object) -> None:
        """Put `obj`, an answer to a write of ours, into the copy before the watch brings it."""
        with self._lock:
            self._put(obj)

    def _run(self) -> None:
        pause_s = RETRY_S[0]
        while not self._stop.is_set():
            try:
                if self._version is None or time.monotonic() - self._listed_s > RESYNC_S:
                    self._list()
                self._follow()
                pause_s = RETRY_S[0]
            except (PlatformUnavailable, Refused) as error:
                self._fault = str(error)
                if isinstance(error, Refused) and error.status == GONE:
                    self._version = None
                self._stop.wait(pause_s * random.uniform(0.5, 1.0))
                pause_s = min(2 * pause_s, RETRY_S[1])
            finally:
                self._connected = False

    def _list(self) -> None:
        found: dict[Key, Object] = {}
        query = {**self._selectors, "limit": str(PAGE)}
        while True:
            page = self._server.get(self._path, query)
            found.update((key_of(obj), obj) for obj in page.get("items") or ())
            more = page["metadata"].get("continue")
            if not more:
                break
            query["continue"] = more
        with self._lock:
            self._objects, self._version = found, page["metadata"]["resourceVersion"]
            self.changes += 1
        self._listed_s = self._contact_s = time.monotonic()

    def _follow(self) -> None:
        query = {
            **self._selectors,
            "resourceVersion": self._version or "",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_S),
        }
        events = self._server.watch(self._path, query, SILENT_S)
        self._connected = True
        for event in events:
            self._contact_s = time.monotonic()
            self._take(event)
            if self._stop.is_set():
                return
        self._contact_s = time.monotonic()

    def _take(self, event: Mapping[str, Any]) -> None:
        obj, what = event["object"], event["type"]
        if what == "ERROR":
            raise Refused(obj.get("code", 0), obj.get("reason", ""), obj.get("message", "watch failed"))
        with self._lock:
            if what == "DELETED":
                self._objects.pop(key_of(obj), None)
                self.changes += 1
            elif what != "BOOKMARK":
                self._put(obj)
            self._version = obj["metadata"]["resourceVersion"]

    def _put(self, obj: Object) -> None:
        known = self._objects.get(key_of(obj))
        if known is None or version_of(obj) >= version_of(known):
            self._objects[key_of(obj)] = obj
            self.changes += 1


def wait_listed(reflectors: Iterable[Reflector], within_s: float) -> None:
    """Wait until every copy is there. PlatformUnavailable when one is not `within_s`, saying why."""
    deadline = time.monotonic() + within_s
    for reflector in reflectors:
        while reflector.age_s() is None:
            if time.monotonic() > deadline:
                reflector.objects(0.0)
            time.sleep(0.05)


def key_of(obj: Object) -> Key:
    """Namespace and name of `obj`."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def version_of(obj: Object) -> int:
    """The resource version as a number: of one object, a later one is larger."""
    return int(obj["metadata"].get("resourceVersion") or 0)
