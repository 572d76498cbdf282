FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release \
      -p fluxgauge-gateway --target "$(rustc -vV | sed -n 's/^host: //p')" \
 && cp target/*/release/fluxgauge-gateway /fluxgauge-gateway

FROM scratch
COPY --from=build /fluxgauge-gateway /fluxgauge-gateway
USER 65532:65532
ENTRYPOINT ["/fluxgauge-gateway"]
