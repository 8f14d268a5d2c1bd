# The digest says which files these are, whatever the tag will mean later; renew it with the packages.
ARG PYTHON=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /shop
# For x86-64 and for ARM. uv then refuses every package whose file is not the one in uv.lock.
RUN echo "uv==0.13.8 \
        --hash=sha256:e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984 \
        --hash=sha256:0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d" > /tmp/uv.txt \
    && pip install --no-cache-dir --require-hashes --only-binary :all: --requirement /tmp/uv.txt
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev

FROM ${PYTHON}
RUN useradd --system --uid 10001 --home-dir /data shop && install --directory --owner shop /data
WORKDIR /shop
COPY --from=build /shop/.venv .venv
COPY main.py pyproject.toml ./
COPY app app
COPY migrations migrations
COPY static static
COPY templates templates
ENV PATH=/shop/.venv/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8000 \
    DATA_DIR=/data DATABASE_URL=sqlite+aiosqlite:////data/eventticket.db
USER shop
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=4)"]
CMD ["python", "main.py", "serve"]
