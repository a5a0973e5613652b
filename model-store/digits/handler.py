"""Reads a digit: JSON ``{"pixels": [64 numbers, 0-16]}`` in, ``{"digit": d, "probability": p}`` out."""

import json

import torch
from ts.torch_handler.base_handler import BaseHandler
from ts.utils.util import PredictionException

PIXELS = 64
BRIGHTEST = 16.0


class DigitsHandler(BaseHandler):
    def initialize(self, context):
        torch.set_num_threads(1)  # a second thread on a limited core spins instead of helping
        super().initialize(context)
        self.inference(torch.zeros(1, 1, 8, 8))  # the first request finds the model warm

    def preprocess(self, data):
        return torch.stack([self._image(row.get("body", row.get("data"))) for row in data])

    def inference(self, images):
        with torch.inference_mode():
            return torch.softmax(self.model(images.to(self.device)), dim=1)

    def postprocess(self, probabilities):
        best = probabilities.max(dim=1)
        return [
            {"digit": int(digit), "probability": round(float(value), 4)}
            for value, digit in zip(best.values, best.indices, strict=True)
        ]

    @staticmethod
    def _image(body):
        try:
            document = json.loads(body) if isinstance(body, (bytes, bytearray, str)) else body
            pixels = torch.tensor(document["pixels"], dtype=torch.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise PredictionException('body: need JSON {"pixels": [64 numbers]}', 400) from error
        if pixels.numel() != PIXELS:
            raise PredictionException(f"body: pixels: {pixels.numel()} numbers: need {PIXELS}", 400)
        return pixels.reshape(1, 8, 8) / BRIGHTEST
