"""Holds bytes against the official CycloneDX 1.6 JSON schema: offline, with formats checked, compiled once.

The schemas ship in ``chainward/formats/schemas`` (origin and licence beside them).
"""

from __future__ import annotations

from functools import cache
from pkgutil import get_data
from typing import TYPE_CHECKING, Any, Final

import orjson

from chainward.formats.codec import decode_object
from chainward.formats.cyclonedx.model import InvalidBom
from chainward.formats.cyclonedx.read import MAX_BOM

if TYPE_CHECKING:
    from jsonschema_rs import Draft7Validator

__all__ = ["validate_bom"]

_SHOWN: Final = 10
_MAX_MESSAGE: Final = 300


def validate_bom(data: bytes, *, limit: int = MAX_BOM) -> None:
    """Return if ``data`` is a valid CycloneDX 1.6 JSON document.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Malformed: not a JSON object.
        InvalidBom: the schema is violated; the first violations are listed with JSON pointers.
    """
    document = decode_object(data, limit=limit, what="CycloneDX document")
    if document.get("specVersion") != "1.6":  # the schema itself does not say so
        message = "/specVersion: is not 1.6"
        raise InvalidBom(f"not valid CycloneDX 1.6: {message}", details={"errors": [message]})
    validator = _validator()
    if validator.is_valid(document):
        return
    errors: list[str] = []
    for error in validator.iter_errors(document):
        errors.append(f"/{'/'.join(map(str, error.instance_path))}: {error.message[:_MAX_MESSAGE]}")
        if len(errors) == _SHOWN:
            break
    raise InvalidBom(f"not valid CycloneDX 1.6: {errors[0]}", details={"errors": errors})


@cache
def _validator() -> Draft7Validator:
    import jsonschema_rs  # noqa: PLC0415 - costs more than writing a document; only validation needs it

    bom, spdx, jsf = (_schema(name) for name in ("bom-1.6", "spdx", "jsf-0.82"))
    registry = jsonschema_rs.Registry([(schema["$id"], schema) for schema in (spdx, jsf)])
    return jsonschema_rs.Draft7Validator(bom, validate_formats=True, registry=registry)


def _schema(name: str) -> dict[str, Any]:
    data = get_data("chainward.formats", f"schemas/{name}.schema.json")
    schema: dict[str, Any] = orjson.loads(data or b"{}")
    return schema
