# Daybook in a container: `daybook web`, `worker`, `migrate` and all other commands, as a user without rights.
#
#   docker build -t daybook .
#   docker compose up --wait        (with Kafka and PostgreSQL, see compose.yaml)
#
# It needs to write to its home (the keyring) and to /tmp alone: run it with a read-only root file system.

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python3 -m venv /opt/daybook
# What is installed is what constraints.txt lists, by hash, and nothing is compiled; a changed line of ours installs none of it anew.
COPY constraints.txt ./
RUN /opt/daybook/bin/python -m pip install --require-hashes --only-binary :all: -r constraints.txt
COPY . .
RUN /opt/daybook/bin/python -m pip install --no-index --no-deps --no-build-isolation . \
    && /opt/daybook/bin/python -m pip uninstall --yes hatchling editables pip

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Daybook" \
      org.opencontainers.image.description="The event-sourced billing ledger for managed service providers"
RUN groupadd --gid 10001 daybook \
    && useradd --no-log-init --uid 10001 --gid 10001 --home-dir /var/lib/daybook --shell /usr/sbin/nologin daybook \
    && install --directory --mode 0700 --owner 10001 --group 10001 /var/lib/daybook
COPY --from=build /opt/daybook /opt/daybook
ENV PATH=/opt/daybook/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DAYBOOK_HOME=/var/lib/daybook
# A `daybook.toml` that is mounted here is read.
WORKDIR /var/lib/daybook
USER 10001:10001
VOLUME ["/var/lib/daybook"]
EXPOSE 8000
# The pages answer; a worker says how it is by `daybook doctor --only worker` (compose.yaml).
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["daybook"]
CMD ["web", "--host", "0.0.0.0"]
