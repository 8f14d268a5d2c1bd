"""What Stripe's parameters and objects look like.

Both come from the SDK's own types, which are generated from Stripe's description of its API: a parameter that the real Stripe
does not know is refused here too, and every object has all its fields.
"""

import sys
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import typing_extensions
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

Doc = dict[str, Any]

METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_VALUE_LENGTH = 50, 40, 500


class StripeError(Exception):
    """A refusal in Stripe's words. `kept` says whether the answer stays under the idempotency key."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        kept: bool = False,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.kind, self.code, self.param, self.kept = message, status, kind, code, param, kept

    def doc(self) -> Doc:
        """The body of the answer."""
        error = {"type": self.kind, "message": self.message, "code": self.code, "param": self.param}
        return {"error": {name: value for name, value in error.items() if value is not None}}


def decoded(form: bytes) -> Doc:
    """A form such as `line_items[0][quantity]=2` as nested dicts and lists of strings."""
    tree: Doc = {}
    for name, value in parse_qsl(form.decode(errors="replace"), keep_blank_values=True):
        *path, last = name.replace("]", "").split("[")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
            if not isinstance(branch, dict):
                raise StripeError("Invalid object", param=name)
        branch[last] = value
    return {name: _with_lists(value) for name, value in tree.items()}


def _with_lists(value: Any) -> Any:
    """Dicts whose keys are all numbers, or empty as in `types[]`, are lists."""
    if not isinstance(value, dict):
        return value
    if value and all(key.isdecimal() for key in value):
        return [_with_lists(value[key]) for key in sorted(value, key=int)]
    if set(value) == {""}:
        return [_with_lists(value[""])]
    return {key: _with_lists(inner) for key, inner in value.items()}


def checked(schema: Any, params: Doc) -> Doc:
    """The parameters with their types, or StripeError about the first one that the SDK's type does not know."""
    try:
        found: Doc = _adapter(schema).validate_python(params)
    except ValidationError as trouble:
        raise _refusal(trouble.errors()) from None
    for metadata in (found.get("metadata"), found.get("payment_intent_data", {}).get("metadata")):
        _check_metadata(metadata or {})
    return found


def _refusal(errors: list[ErrorDetails]) -> StripeError:
    first = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    top, *path = first["loc"]
    # Pydantic puts the names of the types it tried into the path; Stripe's parameters are written small.
    rest = [part for part in path if isinstance(part, int) or ("[" not in part and not part[:1].isupper())]
    param = f"{top}{''.join(f'[{part}]' for part in rest)}"
    if first["type"] == "extra_forbidden":
        return StripeError(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)
    if first["type"] == "missing":
        return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)
    if first["type"].startswith("int"):
        return StripeError(f"Invalid integer: {first['input']}", code="parameter_invalid_integer", param=param)
    return StripeError(f"Invalid {param}: {first['msg']}", param=param)


def _check_metadata(metadata: dict[str, str]) -> None:
    if len(metadata) > METADATA_KEYS:
        raise StripeError(f"Metadata can have up to {METADATA_KEYS} keys.", param="metadata")
    for key, value in metadata.items():
        if len(key) > METADATA_KEY_LENGTH or len(value) > METADATA_VALUE_LENGTH:
            raise StripeError(
                f"Metadata keys can be up to {METADATA_KEY_LENGTH} characters long and values up to {METADATA_VALUE_LENGTH}.",
                param=f"metadata[{key}]",
            )


@cache
def _adapter(schema: Any) -> TypeAdapter[Any]:
    """A validator that knows a TypedDict of the SDK and forbids every other key, at all depths.

    The SDK imports some names for type checkers only, so they are handed over here.
    """
    names = {**vars(sys.modules["stripe._request_options"]), "StripeContext": str, "HTTPClient": object}
    for base in (schema, *getattr(schema, "__orig_bases__", ())):
        if getattr(base, "__module__", "").startswith("stripe"):
            names.update(vars(sys.modules[base.__module__]))
    names |= {"StripeContext": str, "UntypedStripeObject": _Untyped}
    for found in (schema, *names.values()):
        if typing_extensions.is_typeddict(found) and found.__module__.startswith("stripe"):
            found.__pydantic_config__ = ConfigDict(extra="forbid")
    adapter: TypeAdapter[Any] = TypeAdapter(schema, config=None)
    adapter.rebuild(_types_namespace=names, force=True)
    return adapter


class _Untyped:
    """Stands for the SDK's `UntypedStripeObject[str]`, which pydantic does not know: strings under any keys."""

    def __class_getitem__(cls, item: Any) -> Any:
        return dict[str, str]


@cache
def _fields(shape: Any) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for base in reversed(shape.__mro__):
        if base.__module__.startswith("stripe") and base.__module__ != "stripe._stripe_object":
            hints = getattr(base, "__annotations__", {})
            plain = (name for name, hint in hints.items() if "ClassVar" not in str(hint) and name[0] != "_")
            found |= {name: None for name in plain if name != "deleted"}
    return tuple(found)


def blank(shape: Any) -> Doc:
    """An object of Stripe with all its fields, each of them null."""
    return dict.fromkeys(_fields(shape))
