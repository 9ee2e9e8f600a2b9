#!/usr/bin/env bash
# Lists the packages of the system that the Caffe in a .venv is linked with, one per line.
set -euo pipefail
ldd "$1"/bin/{caffe,convert_imageset,compute_image_mean} "$1"/lib/libcaffe.so.* "$1"/lib/python3.*/site-packages/caffe/_caffe.so |
    awk '$3 ~ "^(/usr)?/lib/" { sub(".*/", "*/", $3); print $3 }' | sort -u |
    xargs dpkg-query --search | sed -e '/^diversion by /d' -e 's/[:,].*//' | sort -u
