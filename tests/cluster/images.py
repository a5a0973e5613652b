"""The images of the test cluster: which name stands for which command of this machine."""

import os
import sys
from pathlib import Path

from tests.cluster import build, knative
from tests.cluster.kubelet.images import Image

ROOT = Path(__file__).parents[2]
STUB, TORCHSERVE, BARISTA = "dev.local/stub", "dev.local/torchserve", "dev.local/barista"


def table() -> dict[str, Image]:
    """All images that every cluster has: Knative's, the stub model server, TorchServe, Barista itself."""
    serving = build.FAMILIES["serving"]
    images = {
        f"{knative.IMAGES}/{name}": Image([str(build.program("serving", name))]) for name in serving.programs
    }
    images[STUB] = Image([str(build.program("stub", "stub"))])
    # As in an image made for it, `python` is the one that has everything installed.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    python = {
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("autoscaler", "plugins", ".")),
        "PATH": path,
    }
    images[BARISTA] = Image([sys.executable, "-m", "barista"], env=python, directory=str(ROOT))
    images[TORCHSERVE] = Image([sys.executable, "-m", "tests.cluster.torchserve"], env=python)
    return images
