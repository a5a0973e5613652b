"""What a container is told about its pod: fields of the pod, and its environment."""

import base64
import re

from tests.cluster.client import Api, ApiError, Object
from tests.cluster.kubelet.images import Image, expand
from tests.cluster.kubelet.quantities import number

_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def field(pod: Object, path: str) -> str:
    """A field of the pod as downward API text; "" when it is unset."""
    if keyed := _KEYED.fullmatch(path):
        return str((pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        pairs = pod["metadata"].get(path.split(".")[1]) or {}
        return "".join(f'{key}="{value}"\n' for key, value in sorted(pairs.items()))
    found: object = pod
    for part in path.split("."):
        found = found.get(part, "") if isinstance(found, dict) else ""
    return str(found)


async def environment(
    api: Api, pod: Object, container: Object, image: Image, server: tuple[str, str]
) -> dict[str, str]:
    """The container's variables; `server` is the API server's host and port. ApiError: no such source."""
    env = {"PATH": _PATH, "HOME": "/root", "HOSTNAME": pod["metadata"]["name"], **image.env}
    env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"] = server
    for source in container.get("envFrom") or []:
        kind = "configMapRef" if "configMapRef" in source else "secretRef"
        for key, value in (await _data(api, pod, kind, source[kind])).items():
            env[source.get("prefix", "") + key] = value
    for one in container.get("env") or []:
        if "valueFrom" in one:
            found = await _value(api, pod, container, one["valueFrom"])
            if found is not None:
                env[one["name"]] = found
        else:
            env[one["name"]] = expand(one.get("value", ""), env)
    return env


async def _value(api: Api, pod: Object, container: Object, source: Object) -> str | None:
    if ref := source.get("fieldRef"):
        return field(pod, ref["fieldPath"])
    if ref := source.get("resourceFieldRef"):
        group, name = ref["resource"].split(".", 1)
        quantity = ((container.get("resources") or {}).get(group) or {}).get(name, "0")
        return str(int(-(-number(quantity) // number(ref.get("divisor") or "1"))))
    kind = "configMapKeyRef" if "configMapKeyRef" in source else "secretKeyRef"
    return (await _data(api, pod, kind, source[kind])).get(source[kind]["key"])


async def _data(api: Api, pod: Object, kind: str, source: Object) -> dict[str, str]:
    plural = "configmaps" if kind.startswith("configMap") else "secrets"
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/{plural}/{source['name']}"
    try:
        data: dict[str, str] = (await api.get(path)).get("data") or {}
    except ApiError as error:
        if error.status == 404 and source.get("optional"):
            return {}
        raise
    return (
        data
        if plural == "configmaps"
        else {key: base64.b64decode(text).decode() for key, text in data.items()}
    )
