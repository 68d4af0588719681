# One image for every process of NetSentinel; the command is its argument: `docker run … netsentinel score`.
# It needs no shell, no root, no writable root file system and no capability:
#   docker run --read-only --cap-drop ALL --user 1000 --security-opt no-new-privileges netsentinel --version

FROM node:24-bookworm-slim AS build
WORKDIR /app
# A registry of packages other than npm's own, where there is one: --build-arg NPM_CONFIG_REGISTRY=…
ARG NPM_CONFIG_REGISTRY
COPY package.json package-lock.json .npmrc ./
COPY connectors/kafka/patches connectors/kafka/patches
# onnxruntime-node carries every platform, and only the CPU's files: its install script, which fetches others, does not run.
RUN npm ci --omit=dev --no-audit --no-fund --loglevel=error \
  && here="linux/$(node -p process.arch)" \
  && for bin in node_modules/onnxruntime-node/bin/*; do \
       mv "$bin/$here" /tmp/here && rm -rf "$bin" && mkdir -p "$bin/linux" && mv /tmp/here "$bin/$here"; \
     done \
  && rm -rf node_modules/patch-package \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.md' \) -delete

FROM node:24-bookworm-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="NetSentinel" \
      org.opencontainers.image.description="Finds threats in security telemetry while it flows through Kafka." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# What volumes are made of when they are empty: directories that belong to the user of the processes.
RUN for directory in /data /secrets/config /secrets/gateway /secrets/ingest /secrets/models /secrets/postgres \
      /secrets/redis /registry; do \
      mkdir -p "$directory" && chown node:node "$directory"; \
    done
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY . .
ENV NODE_ENV=production \
    DATA_DIR=/data \
    GATEWAY_HOST=0.0.0.0 \
    HEALTH_HOST=0.0.0.0 \
    HEALTH_PORT=9100 \
    # glibc keeps an arena for each thread otherwise.
    MALLOC_ARENA_MAX=1
USER 1000:1000
EXPOSE 8080 9100
# Node alone, without the program: it must be quick where the machine is busy.
HEALTHCHECK --interval=10s --timeout=30s --start-period=300s --retries=3 CMD ["node", "-e", "require('node:http').get('http://127.0.0.1:' + process.env.HEALTH_PORT + '/ready', answer => process.exit(answer.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "/app/main.ts"]
CMD ["--help"]
