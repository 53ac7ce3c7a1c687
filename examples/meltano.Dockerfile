# Meltano with a tap and this target in one image, installed once, where it is built: what a container would install
# at its start, it would install at every start. `make wheel` comes first; the context is the checkout.
ARG BASE=python:3.13-slim
FROM ${BASE}
COPY dist/*.whl requirements/constraints.txt requirements/meltano.txt /from/
RUN python3 -m venv /opt/meltano \
    && /opt/meltano/bin/pip install --quiet --no-cache-dir --no-deps --require-hashes --requirement /from/meltano.txt
ENV PATH=/opt/meltano/bin:${PATH} MELTANO_CLI_DISABLE_VERSION_CHECK=1 MELTANO_AUTO_INSTALL=false HOME=/state
COPY examples/meltano.yml /project/
COPY plugins /project/plugins
COPY demo /project/demo
WORKDIR /project
# Meltano writes into its project: what a run leaves there is forgotten, but for /state.
RUN meltano install && mkdir --parents /state && chown --recursive 10001:10001 /project /state
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/meltano/bin/meltano"]
