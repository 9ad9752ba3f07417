# syntax=docker/dockerfile:1.7
# Images of Pinflow, one a target: worker, gateway, starter (static, distroless, non-root) and workspace (links DuckDB).
#   docker build --target worker --build-arg COMMIT=$(scripts/commit) -t pinflow/worker .

FROM golang:1.26.8-bookworm AS source
WORKDIR /src
ENV CGO_ENABLED=0
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .

FROM source AS build
ARG COMMIT=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -ldflags "-s -w -X github.com/pinflow/pinflow/internal/config.Commit=${COMMIT}" -o /out/ ./workers ./gateway ./starter

FROM source AS build-workspace
ENV CGO_ENABLED=1
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    cd local && go build -trimpath -ldflags "-s -w" -o /out/local .

FROM gcr.io/distroless/static-debian12:nonroot AS worker
COPY --from=build /out/workers /workers
ENTRYPOINT ["/workers"]

FROM gcr.io/distroless/static-debian12:nonroot AS gateway
COPY --from=build /out/gateway /gateway
EXPOSE 8082
ENTRYPOINT ["/gateway"]

FROM gcr.io/distroless/static-debian12:nonroot AS starter
COPY --from=build /out/starter /starter
ENTRYPOINT ["/starter"]

# DuckDB needs the C++ runtime, which distroless/cc has.
FROM gcr.io/distroless/cc-debian12:nonroot AS workspace
COPY --from=build-workspace /out/local /local
EXPOSE 8090
ENTRYPOINT ["/local", "workspace"]
