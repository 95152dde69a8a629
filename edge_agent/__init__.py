"""Edge agent: camera frames to plate detections on Kafka, with images in S3 and a spool for bad days."""

import os

# OpenCV reads these when it is loaded, so they are set before anything here imports it.
# A photograph of 100 megapixels takes 300 MB; a crafted header must not be able to ask for more.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(100_000_000))
# RTSP over TCP (a lost UDP packet smears a plate over half a second), and an answer or an error within 10 s.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp|stimeout;10000000|timeout;10000000")
# Damaged files are expected input and reported by us, once.
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
