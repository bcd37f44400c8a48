"""What a request's body is, by its header Content-Type."""

from typing import Literal

from services.prediction.invalid import Invalid

MediaType = Literal["application/json", "text/csv"]
JSON: MediaType = "application/json"
CSV: MediaType = "text/csv"


def media_type(header: str) -> MediaType:
    """Raises Invalid for another one, another charset than UTF-8, and parameters that MLflow refuses as well."""
    found, *parameters = [part.strip().lower() for part in header.split(";")]
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if (name, value.strip('"')) != ("charset", "utf-8"):
            raise Invalid(415, f"expected a Content-Type of {JSON} or {CSV} in UTF-8, found another parameter of it")
    if found == CSV:
        return CSV
    if found != JSON:
        raise Invalid(415, f"expected the header Content-Type: {JSON} or {CSV}, found another or none")
    return JSON
