"""A small convolutional network that reads handwritten digits (8x8 grey images).

TorchServe loads the one class of this module, so there must be exactly one.
"""

from torch import Tensor, nn


class Digits(nn.Module):
    """Grey images, shape (n, 1, 8, 8), values 0-1, to logits of the ten digits, shape (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(64 * 4 * 4, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)
