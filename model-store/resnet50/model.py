"""The ResNet-50 network (He et al. 2015, the variant that strides in the 3x3 convolution).

TorchServe loads the one class of this module, so the block is nested in it.
"""

from torch import Tensor, nn


class ResNet50(nn.Module):
    """Colour images, shape (n, 3, 224, 224), to logits of 1,000 classes, shape (n, 1000)."""

    class Bottleneck(nn.Module):
        """1x1, 3x3 and 1x1 convolutions beside a shortcut; the width grows fourfold at the end."""

        def __init__(self, inputs: int, width: int, stride: int) -> None:
            super().__init__()
            outputs = 4 * width
            self.residual = nn.Sequential(
                *_convolution(inputs, width, kernel=1),
                nn.ReLU(inplace=True),
                *_convolution(width, width, kernel=3, stride=stride),
                nn.ReLU(inplace=True),
                *_convolution(width, outputs, kernel=1),
            )
            same = inputs == outputs and stride == 1
            self.shortcut = (
                nn.Identity() if same else nn.Sequential(*_convolution(inputs, outputs, 1, stride))
            )
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.relu(self.residual(x) + self.shortcut(x))

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_convolution(3, 64, kernel=7, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        )
        self.stages = nn.Sequential(
            self._stage(64, 64, blocks=3, stride=1),
            self._stage(256, 128, blocks=4, stride=2),
            self._stage(512, 256, blocks=6, stride=2),
            self._stage(1024, 512, blocks=3, stride=2),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(images)))

    def _stage(self, inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
        rest = (self.Bottleneck(4 * width, width, stride=1) for _ in range(blocks - 1))
        return nn.Sequential(self.Bottleneck(inputs, width, stride), *rest)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs)
