# Caffe for the CPU and everything around it, as `make setup` makes it on Debian 12:
#   docker build -t aesthetics . && docker run -it aesthetics make demo
FROM debian:bookworm-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY . .

# the built Caffe is copied into .venv, so that the cache of builds and the package lists need not stay in the image
RUN make setup \
    && rm -rf /root/.cache /var/lib/apt/lists/*

VOLUME ["/app/data", "/app/results"]
CMD ["make", "help"]
