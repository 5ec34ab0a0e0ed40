# The minor version is pinned, so that fixes of Python and Debian come with a rebuild; to pin a build to the byte, pass
# --build-arg PYTHON_IMAGE=python:3.13-slim-bookworm@sha256:… (`docker buildx imagetools inspect` shows the digest).
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

# Build the wheel and its environment in one stage, take only the environment into the next.
FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY alertd alertd
COPY deploy/constraints.txt deploy/build.txt deploy/
RUN python -m venv --without-pip /opt/alertd \
 && pip --python /opt/alertd/bin/python install --no-cache-dir --require-hashes -r deploy/constraints.txt \
 && pip install --no-cache-dir --require-hashes -r deploy/build.txt \
 && pip wheel --no-cache-dir --no-deps --no-build-isolation -w /tmp/wheel . \
 && pip --python /opt/alertd/bin/python install --no-cache-dir --no-deps /tmp/wheel/*.whl \
 && find /opt/alertd -name tests -type d -prune -exec rm -r {} +

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="alertd" \
      org.opencontainers.image.description="Budget alerts for Novita AI accounts" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# What runs installs nothing. The volume's folder belongs to the user, and so does a fresh volume.
RUN pip uninstall --yes pip \
 && install -d -m 0700 -o 10001 -g 10001 /var/lib/alertd
COPY --from=build /opt/alertd /opt/alertd
# The root may be read-only: nothing but the volume is written, no bytecode either.
ENV PATH=/opt/alertd/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ALERTD_DATABASE_URL=sqlite:////var/lib/alertd/alertd.db \
    ALERTD_RULES=/etc/alertd/rules.yaml
VOLUME /var/lib/alertd
WORKDIR /var/lib/alertd
# Numeric, so that an orchestrator can see that it is not root.
USER 10001:10001
# Health is served on the container's own loopback, which needs no token. For probes from outside set
# ALERTD_HTTP_LISTEN=0.0.0.0:9464 and ALERTD_HTTP_TOKEN; this check works with both.
EXPOSE 9464
HEALTHCHECK --interval=1m --timeout=10s --start-period=5m CMD ["alertd", "healthcheck"]
ENTRYPOINT ["alertd"]
CMD ["run"]
