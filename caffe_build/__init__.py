"""Gets, builds and installs real BVLC Caffe; the way in is `caffe_build/setup.sh`.

All of it but the self-test runs before .venv is there, so on Python's own library alone.
"""
