"""Gets, builds and installs real BVLC Caffe; the way in is `caffe_build/setup.sh`.

    setup.sh       finds the system in systems.txt (systems.py), installs its packages (packages.txt), then
                   __main__.py, under one lock (cache.py):
    variant.py     which Caffe is asked for -> recipe.py: all that it is made of; its hash names the build
    packages.py    .venv with the pinned Python packages
    source.py      Caffe's files -> build.py: patched (patches/), compiled (cuda.py) -> cache.py
    install.py     the built tree laid over .venv;  selftest.py: Caffe's own tests of it

All of it but the self-test runs before .venv is there, so on Python's own library alone.
"""
