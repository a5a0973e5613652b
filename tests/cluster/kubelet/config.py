"""What the process kubelet is told at its start, as one JSON file."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class NodeShape:
    """A node to register: what it has, and how it is marked."""

    name: str
    cpu: int
    memory_gib: int
    gpus: int = 0
    pods: int = 500
    labels: dict[str, str] = field(default_factory=dict)
    taints: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class KubeletConfig:
    """Where to find the API server, which nodes to be, and where pods live."""

    kubeconfig: Path
    directory: Path
    bridge: str
    gateway: str
    domain: str
    nodes: tuple[NodeShape, ...]

    @property
    def images(self) -> Path:
        """The file of image names and the commands they stand for; read anew at each start of a container."""
        return self.directory / "images.json"

    @property
    def targets(self) -> Path:
        """The file of metric endpoints, as Prometheus' file_sd wants it."""
        return self.directory / "targets.json"

    def pod_directory(self, namespace: str, name: str, uid: str) -> Path:
        """Where a pod's volumes, root file systems and logs lie."""
        return self.directory / "pods" / f"{namespace}_{name}_{uid[:8]}"

    def write(self, path: Path) -> None:
        """Write as JSON, for `read`."""
        path.write_text(json.dumps(asdict(self), default=str))

    @classmethod
    def read(cls, path: Path) -> "KubeletConfig":
        """What `write` wrote."""
        raw: dict[str, Any] = json.loads(path.read_text())
        nodes = tuple(NodeShape(**node) for node in raw.pop("nodes"))
        kubeconfig, directory = Path(raw.pop("kubeconfig")), Path(raw.pop("directory"))
        return cls(kubeconfig=kubeconfig, directory=directory, nodes=nodes, **raw)
