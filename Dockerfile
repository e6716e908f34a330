# cordon as a container: an unprivileged user, no added capability, no shell
# needed to start, a read-only root if you like. See README.md, "Container".
#
#   docker build -t cordon .

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY scripts/install-packages scripts/
RUN scripts/install-packages build && rm -rf /var/lib/apt/lists/*
COPY .bazelrc BUILD.bazel LICENSE WORKSPACE ./
COPY third_party third_party
COPY proto proto
COPY sandbox sandbox
COPY client client
COPY server server
# Bazel's own sandbox needs mount namespaces, which a build container refuses.
# No debug information: the binaries are stripped in the end.
RUN bazel build --spawn_strategy=local --copt=-g0 //server:cordond //client:cordon \
 && install -D --strip -t /out bazel-bin/server/cordond bazel-bin/client/cordon \
 && bazel shutdown

FROM ${BASE}
# First the shared libraries of the two binaries, then the languages' toolchains.
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends \
      libabsl20220623 libgrpc++1.51 libgrpc29 libprotobuf32 libspdlog1.10 \
      bash g++ gcc libc6-dev python3 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 cordon \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin cordon
COPY --from=build /out/cordond /out/cordon /usr/local/bin/
USER 10001:10001
EXPOSE 50051
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["cordond", "--probe=127.0.0.1:50051"]
# Under a read-only root, /tmp is a tmpfs that allows execution: what a run
# compiles is executed there.
ENTRYPOINT ["cordond", "--listen=0.0.0.0:50051", "--state_dir=/tmp/cordon"]
