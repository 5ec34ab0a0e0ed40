# Build the wheel and its environment in one stage, take only the environment into the next.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY alertd alertd
COPY deploy/constraints.txt deploy/constraints.txt
RUN python -m venv /opt/alertd \
 && /opt/alertd/bin/pip install --no-cache-dir -c deploy/constraints.txt . \
 && /opt/alertd/bin/pip uninstall --yes pip

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="alertd" \
      org.opencontainers.image.description="Budget alerts for Novita AI accounts" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/alertd /opt/alertd
RUN mkdir -p /var/lib/alertd && chown 10001:10001 /var/lib/alertd
# Numeric, so that an orchestrator can tell that it is not root.
USER 10001:10001
ENV ALERTD_DATABASE_URL=sqlite:////var/lib/alertd/alertd.db \
    ALERTD_RULES=/etc/alertd/rules.yaml \
    PYTHONDONTWRITEBYTECODE=1
VOLUME /var/lib/alertd
WORKDIR /var/lib/alertd
HEALTHCHECK --interval=1m --timeout=10s --start-period=5m CMD ["/opt/alertd/bin/alertd", "healthcheck"]
ENTRYPOINT ["/opt/alertd/bin/alertd"]
CMD ["run"]
