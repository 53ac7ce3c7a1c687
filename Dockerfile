# The target alone, for `make image`, from the wheel in dist/. docs/containers.md tells how to run it.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
COPY requirements/runtime.txt dist/*.whl /from/
# pip stays outside: what runs has no installer. A pip.conf with the address of a mirror may be given as the secret pip.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv /pip && python3 -m venv --without-pip /opt/target-driftrock \
    && /pip/bin/pip --python /opt/target-driftrock/bin/python install --quiet --no-cache-dir --no-deps --require-hashes \
        --requirement /from/runtime.txt \
    && /pip/bin/pip --python /opt/target-driftrock/bin/python install --quiet --no-cache-dir --no-deps --no-index /from/*.whl \
    && install --directory --owner=10001 --group=10001 --mode=700 /made/ledger

FROM ${BASE}
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="target-driftrock" \
    org.opencontainers.image.description="Singer target that delivers records to Driftrock as events" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/target-driftrock /opt/target-driftrock
# A named volume that is mounted here the first time takes over whose it is. No VOLUME: one without a name would end
# with the container, and the next run send everything again.
COPY --from=build --chown=10001:10001 /made/ledger /ledger
ENV PATH=/opt/target-driftrock/bin:${PATH} PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/target-driftrock/bin/target-driftrock"]
