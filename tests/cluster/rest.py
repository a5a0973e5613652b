"""The API server for tests: apply, get, patch and wait, synchronously, on plain objects."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests
import yaml

Object = dict[str, Any]
Found = TypeVar("Found")
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_PLURALS = {
    "Endpoints": "endpoints",
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
}
_CLUSTER_SCOPED = {
    "Namespace", "Node", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PriorityClass",
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "PersistentVolume", "Flavor",
}  # fmt: skip


class Refused(Exception):
    """The API server answered with an error: `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Rest:
    """A session with the API server of a kubeconfig that names client certificates."""

    def __init__(self, kubeconfig: Path, authority: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        user = config["users"][0]["user"]
        self.server: str = config["clusters"][0]["cluster"]["server"]
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(authority)
        self._session.cert = (user["client-certificate"], user["client-key"])

    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            return self._session.get(f"{self.server}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def get(self, path: str) -> Object:
        """The object or list at `path`. Refused."""
        return self.ask("GET", path)

    def find(self, path: str) -> Object | None:
        """The object at `path`; None when there is none."""
        try:
            return self.get(path)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str) -> list[Object]:
        """The items of a collection; [] when its kind is unknown yet."""
        return (self.find(path) or {}).get("items") or []

    def create(self, path: str, body: Object) -> Object:
        """Create `body` in the collection `path`. Refused."""
        return self.ask("POST", path, body)

    def patch(self, path: str, body: Object, kind: str = MERGE) -> Object:
        """Patch the object at `path`. Refused."""
        return self.ask("PATCH", path, body, kind)

    def delete(self, path: str) -> Object:
        """Delete the object at `path`. Refused."""
        return self.ask("DELETE", path)

    def apply(self, item: Object) -> Object:
        """Server-side apply, as one manager that wins every conflict. Refused."""
        return self.ask("PATCH", f"{path_of(item)}?fieldManager=cluster&force=true", item, APPLY)

    def ask(
        self, method: str, path: str, body: Object | None = None, kind: str = "application/json"
    ) -> Object:
        """One request. Refused when it is answered with an error."""
        data = None if body is None else json.dumps(body)
        answer = self._session.request(
            method, self.server + path, data=data, headers={"Content-Type": kind}, timeout=30
        )
        if answer.status_code >= 400:
            raise Refused(answer.status_code, answer.text[:1000])
        found: Object = answer.json()
        return found


def path_of(item: Object) -> str:
    """The path of an object by its apiVersion, kind, namespace and name."""
    version, kind, meta = item["apiVersion"], item["kind"], item["metadata"]
    plural = _PLURALS.get(kind) or f"{kind.lower()}s"
    if kind.endswith("y") and kind not in _PLURALS:
        plural = f"{kind.lower()[:-1]}ies"
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    scope = "" if kind in _CLUSTER_SCOPED else f"/namespaces/{meta.get('namespace', 'default')}"
    return f"{root}{scope}/{plural}/{meta['name']}"


def until(look: Callable[[], Found | None], what: str, within_s: float = 60.0) -> Found:
    """What `look` finds, as soon as it finds something true. TimeoutError that names `what` otherwise."""
    end = time.monotonic() + within_s
    while True:
        if found := look():
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        time.sleep(0.1)
