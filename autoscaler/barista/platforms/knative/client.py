"""The API server, asked in plain JSON: objects are what it gave, whatever version wrote them.

Generated models would drop the fields that they do not know; here nothing is lost, and our own kinds and
Knative's are read the same way. Certificates, tokens and their renewal stay with the Kubernetes client.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from urllib3.exceptions import HTTPError

from barista.platforms.knative.schema import API_VERSION
from barista.ports.platform import PlatformUnavailable

Object = Mapping[str, Any]
"""An object of the cluster, as JSON."""

ANSWER_WITHIN_S = 10.0
CONNECTIONS = 32
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
MANAGER = "knative-barista"
"""Under this name the API server records which fields our patches wrote (``managedFields``)."""
UNREADY = (429, 500, 502, 503, 504)
"""What the API server answers while it cannot: nothing is known then."""


class Refused(Exception):
    """The API server refused a request: the status code, its reason and its words."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: its group and version (``v1`` for the core), and its name in paths."""

    api_version: str
    plural: str

    def path(self, namespace: str | None = None, name: str = "", part: str = "") -> str:
        """Path of all objects, of those of a namespace, of one, or of a part (subresource) of one."""
        root = "/apis" if "/" in self.api_version else "/api"
        spaces = ("namespaces", namespace) if namespace else ()
        return "/".join(filter(None, (root, self.api_version, *spaces, self.plural, name, part)))


SERVICES = Kind("serving.knative.dev/v1", "services")
REVISIONS = Kind("serving.knative.dev/v1", "revisions")
DEPLOYMENTS = Kind("apps/v1", "deployments")
PODS = Kind("v1", "pods")
CONFIG_MAPS = Kind("v1", "configmaps")
EVENTS = Kind("events.k8s.io/v1", "events")
LEASES = Kind("coordination.k8s.io/v1", "leases")
FLAVORS = Kind(API_VERSION, "flavors")
PROFILES = Kind(API_VERSION, "executionprofiles")
PLANS = Kind(API_VERSION, "scalingplans")


class ApiServer:
    """One API server, by a client that knows where it is and who we are. Safe for several threads."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    @staticmethod
    def connect(kubeconfig: Path | None = None) -> "ApiServer":
        """The API server of `kubeconfig`; else of the pod that this runs in; else of the user's kubeconfig.

        ConfigException when there is none. A proxy that the environment names is not asked.
        """
        configuration = Configuration(proxy="")
        configuration.connection_pool_maxsize = CONNECTIONS
        configuration.retries = False
        try:
            if kubeconfig is not None:
                raise ConfigException
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # it has no types
        except ConfigException:
            file = None if kubeconfig is None else str(kubeconfig)
            load_kube_config(config_file=file, client_configuration=configuration)  # type: ignore[no-untyped-call]  # nor it
        return ApiServer(ApiClient(configuration))

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The object or list at `path`. Refused, or PlatformUnavailable when there is no answer."""
        return self._ask("GET", path, query)

    def create(self, path: str, body: Object) -> dict[str, Any]:
        """The object `body`, created below `path`. Raises as `get` does."""
        return self._ask("POST", path, body=body)

    def replace(self, path: str, body: Object) -> dict[str, Any]:
        """The object at `path`, replaced by `body`; a resource version in it must be the current one."""
        return self._ask("PUT", path, body=body)

    def patch(self, path: str, body: Object, kind: str = MERGE_PATCH) -> dict[str, Any]:
        """The object at `path` after the patch `body`. Raises as `get` does.

        The server keeps on record that what it changes was written by `MANAGER`.
        """
        return self._ask("PATCH", path, {"fieldManager": MANAGER}, body, kind)

    def watch(self, path: str, query: Mapping[str, str], silent_s: float) -> Iterator[dict[str, Any]]:
        """The events of a watch that has begun, as they come, until the server ends it.

        Raises as `get` does; also when the connection breaks or was silent for longer than `silent_s`.
        """
        response = self._send("GET", path, {**query, "watch": "true"}, timeout_s=(ANSWER_WITHIN_S, silent_s))
        if response.status != 200:
            raise _fault(f"watch of {path}", response.status, response.read())
        return _events(path, response.response)

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        response = self._send(method, path, query, body, content_type)
        try:
            data = response.read()
        except HTTPError as error:
            raise PlatformUnavailable(f"API server: {method} {path}: no answer: {error}") from error
        if not 200 <= response.status < 300:
            raise _fault(f"{method} {path}", response.status, data)
        answer: dict[str, Any] = json.loads(data)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Object | None = None,
        content_type: str = JSON,
        timeout_s: float | tuple[float, float] = ANSWER_WITHIN_S,
    ) -> Any:
        headers = {"Accept": JSON, "Content-Type": content_type}
        parameters = list((query or {}).items())
        try:
            request = self._client.param_serialize(
                method, path, None, parameters, headers, body, auth_settings=["BearerToken"]
            )
            return self._client.call_api(*request, _request_timeout=timeout_s)
        except (HTTPError, ApiException) as error:
            raise PlatformUnavailable(f"API server: {method} {path}: no answer: {error}") from error


def _events(path: str, response: Any) -> Iterator[dict[str, Any]]:
    begun = b""
    try:
        for chunk in response.stream(2**16):
            *lines, begun = (begun + chunk).split(b"\n")
            yield from (json.loads(line) for line in lines if line.strip())
    except HTTPError as error:
        raise PlatformUnavailable(f"API server: watch of {path} broke: {error}") from error
    finally:
        response.close()


def _fault(request: str, status: int, data: bytes) -> Refused | PlatformUnavailable:
    try:
        said = json.loads(data)
    except ValueError:
        said = {}
    text = f"API server: {request}: {said.get('message') or f'status {status}'}"
    return PlatformUnavailable(text) if status in UNREADY else Refused(status, said.get("reason", ""), text)
