"""What the node's networks make of a clip's first pictures, as JSON: to be compared between machines.

python look.py CLIP FRAMES
"""

import json
import platform
import sys
import time

import cv2
import numpy as np

from ruid_edge.inference import load_detector, load_embedder


def main(clip: str, frames: int) -> None:
    """Print the machine, and for each picture its mean, its people and their embeddings."""
    capture = cv2.VideoCapture(clip)
    width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    embedder = load_embedder("reid-osnet", threads=1)
    detectors = {
        name: load_detector(name, runtime="onnxruntime", threads=1, width_px=width, height_px=height)
        for name in ("accurate", "fast")
    }
    started_s = time.monotonic()
    pictures: list[dict[str, object]] = []
    for _ in range(frames):
        taken, frame = capture.read()
        assert taken, clip
        picture = np.asarray(frame, np.uint8)
        seen: dict[str, object] = {"mean": float(picture.mean())}
        for name, detector in detectors.items():
            found = detector.detect(picture)
            embeddings = embedder.embed(picture, found.boxes_xyxy_px)
            seen[name] = {
                "boxes": found.boxes_xyxy_px.tolist(),
                "confidences": found.confidences.tolist(),
                "embeddings": embeddings.tolist(),
            }
        pictures.append(seen)
    sys.stdout.write(
        json.dumps({"machine": platform.machine(), "took_s": time.monotonic() - started_s, "pictures": pictures})
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
