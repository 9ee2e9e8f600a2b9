# The whole project set up, real Caffe included, without compilers. For current GPUs (CUDA 13, cuDNN 9: NVIDIA's driver
# 580 or newer), or with GPU=0 for the CPU, which is smaller:
#   docker build -t aesthetics .
#   docker build -t aesthetics-cpu --build-arg GPU=0 .
#   docker run --runtime=nvidia -v /data/AVA:/data/ava -v $PWD/results:/app/results aesthetics make reproduce-table-III
# The image is for x86_64: on a machine with another processor add --platform linux/amd64 to both commands.
# Caffe's source comes from Debian or from upstream. Where neither can be reached, put a tarball of it into caffe_build and
# add --build-arg CAFFE_SOURCE=caffe_build/FILE.
# The name of the base image moves with Debian 12's updates. To hold it still, ask for its digest and build on that:
#   docker pull debian:bookworm-slim && docker inspect --format '{{index .RepoDigests 0}}' debian:bookworm-slim
#   docker build --build-arg BASE=debian@sha256:... -t aesthetics .
ARG GPU=1
ARG BASE=debian:bookworm-slim

FROM $BASE AS base
WORKDIR /app
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates make \
    && rm -rf /var/lib/apt/lists/*

# only what setup reads, so that a change elsewhere does not rebuild Caffe
FROM base AS build
ARG GPU
ARG CUDA_ARCH
ARG CAFFE_SOURCE
COPY Makefile requirements*.txt files.py user_error.py ./
COPY caffe_build caffe_build
RUN make setup CUDA=$GPU CUDA_ARCH="$CUDA_ARCH" CAFFE_SOURCE="$CAFFE_SOURCE" && rm -rf /root/.cache
COPY docker docker
RUN docker/linked-packages.sh .venv >linked-packages.txt

# the commit, for run.json, without git or its history in the image; read before commit.json makes the tree dirty
FROM base AS code
RUN apt-get update && apt-get install --yes --no-install-recommends git
COPY . .
RUN docker/commit.sh >/tmp/commit.json && rm -rf .git caffe_build/*.tar.* && mv /tmp/commit.json .

FROM base AS run-0
COPY --from=build /app/linked-packages.txt .
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 $(cat linked-packages.txt) \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/.venv .venv
COPY --from=code /app .
RUN useradd --uid 1000 --create-home aesthetics \
    && mkdir -p data results /data \
    && touch .venv/came-with-the-image \
    && chown aesthetics: data results models prototxt solvers
ENV PYTHONDONTWRITEBYTECODE=1
VOLUME ["/app/data", "/app/results"]
ENTRYPOINT ["/app/docker/as-owner.sh"]
CMD ["make", "help"]

FROM run-0 AS run-1
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM run-$GPU
