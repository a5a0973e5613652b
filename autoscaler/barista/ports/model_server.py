"""ModelServer: how one kind of model server is started, found ready, drained and measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Launch:
    """What a replica is to be: its model archive, its ports on loopback, its number of workers."""

    model: str
    archive: Path
    work_dir: Path
    inference_port: int
    management_port: int
    metrics_port: int
    workers: int


@dataclass(frozen=True, slots=True)
class Command:
    """A process to start: arguments and environment (added to a minimal one)."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


class ModelServer(Protocol):
    """One kind of model server (TorchServe first)."""

    name: str

    def version(self) -> str:
        """Version of the server that would be started."""
        ...

    def prepare(self, launch: Launch) -> Command:
        """Write the server's configuration into `launch.work_dir`; the command that starts it."""
        ...

    async def is_ready(self, launch: Launch) -> bool:
        """Whether a request sent now would be answered by a loaded worker."""
        ...

    def predict_path(self, model: str) -> str:
        """HTTP path (POST) of predictions on the inference port."""
        ...
