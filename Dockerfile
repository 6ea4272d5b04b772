# The server in an image. docs/operating.md, "In a container", says how it is run.
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# What is removed are the line numbers of backtraces, which are most of the file.
RUN cargo build --release --locked -p scimd --bin scimd && strip --strip-debug target/release/scimd

FROM debian:bookworm-slim
# Authorities, for a PostgreSQL that has to prove who it is.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
# The folder is made for this user, and so is a volume that is new.
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/scimd --shell /usr/sbin/nologin scimd \
    && install --directory --owner scimd --group scimd --mode 700 /var/lib/scimd
COPY --from=build /src/target/release/scimd /usr/local/bin/scimd
# A file and no variables, which would override a file that is mounted: it takes the place of this one.
RUN mkdir /etc/scimd && printf '%s\n' \
    'listen = "0.0.0.0:8080"' \
    'store = "sqlite:/var/lib/scimd/scimd.db"' \
    '[metrics]' \
    'listen = "0.0.0.0:9090"' >/etc/scimd/scimd.toml
ENV SCIMD_CONFIG=/etc/scimd/scimd.toml
USER 10001
WORKDIR /var/lib/scimd
VOLUME /var/lib/scimd
EXPOSE 8080 9090
ENTRYPOINT ["scimd"]
CMD ["serve"]
