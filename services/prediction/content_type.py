"""What a request's body is, by its header Content-Type, and what its answer is to be, by its header Accept."""

from typing import Literal, get_args

from services.prediction.invalid import Invalid

MediaType = Literal[
    "application/json", "text/csv", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
]
JSON: MediaType = "application/json"
CSV: MediaType = "text/csv"
ARROW: MediaType = "application/vnd.apache.arrow.stream"
PARQUET: MediaType = "application/vnd.apache.parquet"
_KNOWN: dict[str, MediaType] = {media: media for media in get_args(MediaType)}
_EXPECTED = f"{', '.join(list(_KNOWN)[:-1])} or {PARQUET}"


def media_type(header: str) -> MediaType:
    """Raises Invalid for another one, another charset than UTF-8, and parameters that MLflow refuses as well."""
    found, *parameters = [part.strip().lower() for part in header.split(";")]
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if (name, value.strip('"')) != ("charset", "utf-8"):
            raise Invalid(415, f"expected a Content-Type of {_EXPECTED} in UTF-8, found another parameter of it")
    if found not in _KNOWN:
        raise Invalid(415, f"expected the header Content-Type: {_EXPECTED}, found another or none")
    return _KNOWN[found]


def wants_arrow(accept: str) -> bool:
    """Whether the header prefers it to JSON, which whoever says nothing gets. Source: RFC 9110, section 12.5.1."""
    wanted = dict(_weighted(part) for part in accept.lower().split(","))
    return wanted.get(ARROW, 0.0) > 0.0 and wanted[ARROW] >= wanted.get(JSON, 0.0)


def _weighted(part: str) -> tuple[str, float]:
    media, *parameters = [text.strip() for text in part.split(";")]
    weights = [text.removeprefix("q=") for text in parameters if text.startswith("q=")]
    try:
        return media, float(weights[0]) if weights else 1.0
    except ValueError:
        return media, 0.0
