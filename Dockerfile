FROM python:3.13-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /shop
RUN pip install --no-cache-dir uv
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data shop && install --directory --owner shop /data
WORKDIR /shop
COPY --from=build /shop/.venv .venv
COPY main.py pyproject.toml ./
COPY app app
COPY migrations migrations
COPY static static
COPY templates templates
ENV PATH=/shop/.venv/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8000 LOG_FORMAT=json \
    DATA_DIR=/data DATABASE_URL=sqlite+aiosqlite:////data/eventticket.db
USER shop
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=4)"]
CMD ["python", "main.py", "serve"]
