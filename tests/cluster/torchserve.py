"""The image `dev.local/torchserve`: a model of the model store on TorchServe, as the local platform has it.

MODEL names the model (digits); its archive must have been built (`barista models build`). PORT is where it
listens, TS_DEFAULT_WORKERS_PER_MODEL how many workers load it.
"""

import os
import sys
import tempfile
from pathlib import Path

from barista.models import find_built
from barista.platforms.local.torchserve import TorchServe
from barista.ports.model_server import Launch

MANAGEMENT_PORT, METRICS_PORT = 8081, 8082


def main() -> None:
    """Become TorchServe."""
    name = os.environ.get("MODEL", "digits")
    built = find_built(name, Path(__file__).parents[2] / "model-store")
    if built is None:
        sys.exit(f"torchserve: model {name!r} has not been built: barista models build {name}")
    command = TorchServe().prepare(
        Launch(
            model=name,
            archive=built.archive,
            work_dir=Path(tempfile.mkdtemp(prefix="ts")),
            inference_port=int(os.environ.get("PORT", "8080")),
            management_port=MANAGEMENT_PORT,
            metrics_port=METRICS_PORT,
            workers=int(os.environ.get("TS_DEFAULT_WORKERS_PER_MODEL", "1")),
        )
    )
    os.execve(command.argv[0], command.argv, {**os.environ, **command.env})


if __name__ == "__main__":
    main()
