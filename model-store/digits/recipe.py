"""Trains the digits model on scikit-learn's handwritten digits: ``python recipe.py OUT``.

A fifth of the images is held out and decides whether the model is good enough to be served.
"""

import json
import sys
from pathlib import Path

import torch
from model import Digits
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 7
EPOCHS = 12
BATCH = 64
ACCURACY_NEEDED = 0.97


def train(images: torch.Tensor, labels: torch.Tensor) -> Digits:
    model = Digits()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    return model.eval()


def main(out: Path) -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data, digits.target, test_size=0.2, random_state=SEED, stratify=digits.target
    )
    model = train(as_images(train_x), torch.tensor(train_y))
    with torch.inference_mode():
        predicted = model(as_images(test_x)).argmax(dim=1)
    right = predicted == torch.tensor(test_y)
    accuracy = float(right.float().mean())
    if accuracy < ACCURACY_NEEDED:
        raise SystemExit(f"digits: accuracy {accuracy:.4f} on held-out images: need {ACCURACY_NEEDED}")

    torch.save(model.state_dict(), out / "weights.pt")
    # The sample checks that the model is served as it was trained, so it is one the model reads right;
    # how often it does not is what the accuracy tells, over all held-out images.
    sample = int(right.nonzero()[0])
    (out / "sample.json").write_text(json.dumps({"pixels": [int(p) for p in test_x[sample]]}))
    result = {
        "sample": "sample.json",
        "content_type": "application/json",
        "accuracy": accuracy,
        "answer": {"digit": int(test_y[sample])},
    }
    (out / "result.json").write_text(json.dumps(result, indent=2))


def as_images(pixels) -> torch.Tensor:
    return torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16


if __name__ == "__main__":
    main(Path(sys.argv[1]))
