# syntax=docker/dockerfile:1.7
# Images of Pinflow, one a target: worker, gateway, starter (static, distroless, non-root) and workspace (links DuckDB).
#   docker build --target worker --build-arg COMMIT=$(scripts/commit) -t pinflow/worker .

FROM golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d AS source
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
    cd local && go build -trimpath -ldflags "-s -w" -o /out/local . && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab AS worker
COPY --from=build /out/workers /workers
ENTRYPOINT ["/workers"]

FROM gcr.io/distroless/static-debian12:nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab AS gateway
COPY --from=build /out/gateway /gateway
EXPOSE 8082
ENTRYPOINT ["/gateway"]

FROM gcr.io/distroless/static-debian12:nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab AS starter
COPY --from=build /out/starter /starter
ENTRYPOINT ["/starter"]

# DuckDB needs the C++ runtime, which distroless/cc has.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f AS workspace
COPY --from=build-workspace /out/local /local
# A new volume at /data gets this owner.
COPY --from=build-workspace --chown=65532:65532 /out/data /data
EXPOSE 8090
ENTRYPOINT ["/local", "workspace"]
