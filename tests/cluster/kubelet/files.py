"""What a container finds in its file system: its volumes, and how to resolve names."""

from collections.abc import Mapping
from pathlib import Path

from tests.cluster.client import Object
from tests.cluster.kubelet.process import Mount

CHECKOUT = Path(__file__).parents[3]


def write_etc(pod: Object, address: str, gateway: str, domain: str, directory: Path) -> None:
    """resolv.conf and hosts of the pod, into `directory`."""
    meta = pod["metadata"]
    search = f"{meta['namespace']}.svc.{domain} svc.{domain} {domain}"
    (directory / "resolv.conf").write_text(f"nameserver {gateway}\nsearch {search}\noptions ndots:5\n")
    (directory / "hosts").write_text(f"127.0.0.1 localhost\n{address} {meta['name']}\n")


def mounts(container: Object, volumes: Mapping[str, Path], etc: Path) -> list[Mount]:
    """Everything to mount into the container; outer paths before those within them."""
    found = [
        Mount(etc / "resolv.conf", "/etc/resolv.conf", read_only=True),
        Mount(etc / "hosts", "/etc/hosts", read_only=True),
    ]
    for mount in container.get("volumeMounts") or []:
        source = volumes[mount["name"]]
        if mount.get("subPath"):
            source = source / mount["subPath"]
        found.append(Mount(source, mount["mountPath"].rstrip("/"), bool(mount.get("readOnly"))))
    # A volume over /tmp, say, must not hide the programs of a checkout that lies below.
    if any(CHECKOUT.is_relative_to(one.target) for one in found):
        found.append(Mount(CHECKOUT, str(CHECKOUT), read_only=True))
    return sorted(found, key=lambda one: one.target)
