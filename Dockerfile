# SPDX-License-Identifier: Apache-2.0
# The command `q` for containers: docs/how-to-integrate-q-externally.md. It holds no login and no
# secret; both come in at run time, as a mount, a socket or a token file.

FROM debian:bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential cmake ninja-build pkg-config \
        libc-ares-dev libcurl4-openssl-dev libdeflate-dev libjson-c-dev libnghttp2-dev \
        libsqlite3-dev libssl-dev
COPY . /src
WORKDIR /src
# What links against the library, and what the host's systemd would use, stays behind.
RUN cmake --preset release \
 && cmake --build --preset release \
 && cmake --install build/release --strip --prefix /opt/amazonq \
 && cd /opt/amazonq && rm -rf include lib/cmake lib/pkgconfig lib/systemd

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="amazonq" \
      org.opencontainers.image.description="Tokens and answers of Amazon Q on the command line" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libc-ares2 libcurl4 libnghttp2-14 libssl3 \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/amazonq /usr/local

# Whatever user a container runs as, home is here and can be entered. Nothing is below it: what a
# mount needs is made by the engine and belongs to root, which every user accepts.
RUN useradd --uid 1000 --no-create-home --home-dir /home/q --shell /bin/bash q \
 && install -d -o q -g q -m 755 /home/q
ENV HOME=/home/q LANG=C.UTF-8
WORKDIR /home/q
USER q
CMD ["q", "--help"]
