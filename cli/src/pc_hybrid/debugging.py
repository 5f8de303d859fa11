"""--debug: what was asked of the platform, and the traceback of a failure, in a file that only its owner can read."""

import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def debug_file(wanted: bool) -> Generator[None]:
    if not wanted:
        yield
        return
    import logging
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="pc-hybrid-", suffix=".log", delete=False, encoding="utf-8") as file:
        handler = logging.StreamHandler(file)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
        # httpx names method, address and status of each request; httpcore below it would also log the headers.
        requests = logging.getLogger("httpx")
        requests.setLevel(logging.INFO)
        requests.addHandler(handler)
        try:
            yield
        except Exception:
            traceback.print_exc(file=file)
            raise
        finally:
            requests.removeHandler(handler)
            print(f"Debug file: {file.name}", file=sys.stderr)
