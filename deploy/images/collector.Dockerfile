FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" cargo build --locked --profile collector \
      -p fluxgauge-collector --target "$(rustc -vV | sed -n 's/^host: //p')" \
 && cp target/*/collector/fluxgauge-collector /fluxgauge-collector

FROM scratch
COPY --from=build /fluxgauge-collector /fluxgauge-collector
# Root in the container is the instance's owner to a broker that the Flux Operator configured.
USER 0:0
ENTRYPOINT ["/fluxgauge-collector"]
