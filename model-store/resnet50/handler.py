"""Classifies an image: a JPEG or PNG file as the body in, the five best classes out."""

import io

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from ts.torch_handler.base_handler import BaseHandler
from ts.utils.util import PredictionException

SIZE = 224
MEAN = torch.tensor((0.485, 0.456, 0.406)).reshape(3, 1, 1)
DEVIATION = torch.tensor((0.229, 0.224, 0.225)).reshape(3, 1, 1)
BEST = 5


class ResNet50Handler(BaseHandler):
    def initialize(self, context):
        torch.set_num_threads(1)  # a second thread on a limited core spins instead of helping
        super().initialize(context)
        self.inference(torch.zeros(1, 3, SIZE, SIZE))  # the first request finds the model warm

    def preprocess(self, data):
        return torch.stack([self._image(row.get("body", row.get("data"))) for row in data])

    def inference(self, images):
        with torch.inference_mode():
            return torch.softmax(self.model(images.to(self.device)), dim=1)

    def postprocess(self, probabilities):
        best = probabilities.topk(BEST, dim=1)
        return [
            {"classes": classes, "probabilities": [round(p, 4) for p in values]}
            for values, classes in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]

    @staticmethod
    def _image(body):
        try:
            picture = Image.open(io.BytesIO(body)).convert("RGB")
        except (TypeError, OSError, UnidentifiedImageError) as error:
            raise PredictionException("body: need the bytes of a JPEG or PNG image", 400) from error
        if picture.size != (SIZE, SIZE):
            picture = picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
        return (pixels - MEAN) / DEVIATION
