"""What schemathesis does not know by itself: bodies that are bytes, sent as they were made (`make fuzz`)."""

import schemathesis


@schemathesis.serializer("application/gzip", "application/x-tar", "application/x-git-bundle")
def as_it_is(context: object, value: object) -> bytes:
    """No archive, nearly always: what must be refused, not what is taken in, which tests of its own do."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
