"""Makes the ResNet-50: ``python recipe.py OUT``.

The weights come from a seed, not from training: the model answers at the true cost of a ResNet-50
(25.6 million parameters) while nothing has to be downloaded. What it answers means nothing.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from model import ResNet50
from PIL import Image

SEED = 50
SIZE = 224


def main(out: Path) -> None:
    torch.manual_seed(SEED)
    torch.save(ResNet50().state_dict(), out / "weights.pt")
    _picture().save(out / "sample.jpg", quality=85)
    result = {"sample": "sample.jpg", "content_type": "image/jpeg", "accuracy": None, "answer": None}
    (out / "result.json").write_text(json.dumps(result, indent=2))


def _picture() -> Image.Image:
    """Smooth blobs of colour, about 9 kB as a JPEG file."""
    coarse = np.random.default_rng(SEED).integers(0, 256, (14, 14, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
