"""Print p(good) of photos by the net beside this file: python example.py PHOTO ...

Needs numpy, opencv-python-headless and onnxruntime.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime


def global_view(picture):
    return cv2.resize(picture, (256, 256))


def local_view(picture):
    shorter = min(picture.shape[:2])
    if shorter < 256:  # enlarge it; of a picture like a line, the middle
        picture = centre(picture, 64 * shorter)
        height, width = (max(256, round(side * 256 / shorter)) for side in picture.shape[:2])
        picture = cv2.resize(picture, (width, height))
    return centre(picture, 256)


def centre(picture, size):
    height, width = picture.shape[:2]
    top, left = max(0, height - size) // 2, max(0, width - size) // 2
    return picture[top : top + size, left : left + size]


net = onnxruntime.InferenceSession(Path(__file__).with_name("model.onnx"), providers=["CPUExecutionProvider"])
notes = net.get_modelmeta().custom_metadata_map
for path in sys.argv[1:]:
    content = np.fromfile(path, np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None  # rows of blue, green, red
    if picture is None:
        sys.exit(f"{path} is no picture that OpenCV can read")
    view = {"global": global_view, "local": local_view}[notes["view"]](picture)
    if notes["view_stored_as"] == "JPEG":  # as the photos of the training and the test were
        view = cv2.imdecode(cv2.imencode(".jpg", view)[1], cv2.IMREAD_COLOR)
    (p_good,) = net.run(["p_good"], {"views": view[None]})[0]
    print(f"{p_good:.6f}  {path}")
