"""A pod's volumes as directories of this machine, filled at its start."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.client import Api, ApiError, Object
from tests.cluster.kubelet import downward

TOKEN_VALID_S = 24 * 3600
"""A token is asked for once, at the pod's start, so it must outlive any test."""


async def materialise(api: Api, pod: Object, directory: Path) -> dict[str, Path]:
    """The directory of each volume of `pod`, filled, below `directory`. ApiError when a source is missing."""
    made = {}
    for volume in pod["spec"].get("volumes") or []:
        if "hostPath" in volume:
            made[volume["name"]] = Path(volume["hostPath"]["path"])
            continue
        path = directory / volume["name"]
        path.mkdir(parents=True, exist_ok=True)
        await _fill(api, pod, volume, path)
        made[volume["name"]] = path
    return made


async def refresh(api: Api, pod: Object, directory: Path) -> None:
    """Read ConfigMap and Secret volumes again; a mounted file changes under the running container."""
    for volume in pod["spec"].get("volumes") or []:
        if "configMap" in volume or "secret" in volume:
            await _fill(api, pod, volume, directory / volume["name"])


async def _fill(api: Api, pod: Object, volume: Object, path: Path) -> None:
    for source in (volume.get("projected") or {}).get("sources") or [volume]:
        for name, content in (await _files(api, pod, source)).items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists() or file.read_bytes() != content:
                partial = file.with_name(f".{file.name}.partial")
                partial.write_bytes(content)
                partial.rename(file)


async def _files(api: Api, pod: Object, source: Object) -> dict[str, bytes]:
    namespace = pod["metadata"]["namespace"]
    if token := source.get("serviceAccountToken"):
        return {token["path"]: (await _token(api, pod, token.get("audience"))).encode()}
    if "configMap" in source:
        return await _keyed(api, f"/api/v1/namespaces/{namespace}/configmaps/", source["configMap"])
    if "secret" in source:
        secret = {**source["secret"]}
        secret.setdefault("name", secret.get("secretName"))
        return await _keyed(api, f"/api/v1/namespaces/{namespace}/secrets/", secret)
    if "downwardAPI" in source:
        items = source["downwardAPI"].get("items") or []
        return {item["path"]: downward.field(pod, item["fieldRef"]["fieldPath"]).encode() for item in items}
    return {}


async def _keyed(api: Api, collection: str, source: Mapping[str, Any]) -> dict[str, bytes]:
    try:
        found = await api.get(collection + source["name"])
    except ApiError as error:
        if error.status == 404 and source.get("optional"):
            return {}
        raise
    texts = {key: text.encode() for key, text in (found.get("data") or {}).items()}
    if found["kind"] == "Secret":
        texts = {key: base64.b64decode(text) for key, text in texts.items()}
    texts |= {key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()}
    if items := source.get("items"):
        return {item["path"]: texts[item["key"]] for item in items}
    return texts


async def _token(api: Api, pod: Object, audience: str | None) -> str:
    meta = pod["metadata"]
    account = pod["spec"].get("serviceAccountName") or "default"
    spec: Object = {
        "expirationSeconds": TOKEN_VALID_S,
        "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]},
    }
    if audience:
        spec["audiences"] = [audience]
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
    token: str = (await api.create(path, body))["status"]["token"]
    return token
