"""OpenCV's own reader of Caffe's files: a second program that predicts from what our runs leave behind."""

from pathlib import Path

import cv2
import numpy as np

from paper import ROOT, stated

P_TOLERANCE = 1e-5  # of p(good), absolute


def opencv_p_good(dataset: str, network: str, caffemodel: Path, views: np.ndarray) -> np.ndarray:
    """p(good) of n 256x256x3 BGR views by OpenCV's reader of Caffe's files, from their centres less the mean."""
    deploy = ROOT / "prototxt" / ("demo" if dataset == "demo" else "") / network / "deploy.prototxt"
    net = cv2.dnn.readNetFromCaffe(str(deploy), str(caffemodel))
    pictures = centre(views, stated(f"networks.{network}.crop_size"))
    net.setInput(cv2.dnn.blobFromImages(list(pictures), mean=stated(f"networks.{network}.mean_bgr")))
    return net.forward()[:, 1]


def centre(views: np.ndarray, size: int) -> np.ndarray:
    """The central size x size part of n views, n x height x width x 3."""
    height, width = views.shape[1:3]
    top, left = (height - size) // 2, (width - size) // 2
    return views[:, top : top + size, left : left + size]
