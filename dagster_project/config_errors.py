"""Wording of what is wrong with `config.yml`: the key, the value, and the nearest valid one.

Add here when a kind of mistake deserves a clearer sentence.
What is valid stays out; it lives in `settings.py`.
"""

import difflib
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError


class ConfigError(ValueError):
    """The configuration has an unknown key or an impossible value."""


def nearest(word: str, valid: Iterable[str]) -> str:
    """Return " The nearest is `x`.", or nothing when no valid word comes near."""
    near = difflib.get_close_matches(word, list(valid), 1, 0.5)
    return f" The nearest is `{near[0]}`." if near else ""


def worded(error: ValidationError, model: type[BaseModel], file: Path) -> str:
    """One line for each mistake that pydantic found in the file."""
    return "\n".join([f"{file}:", *(f"  {_line(detail, model)}" for detail in error.errors())])


def _line(detail: Any, model: type[BaseModel]) -> str:
    path = [str(part) for part in detail["loc"] if part != "[key]"]
    key, value = ".".join(path), detail["input"]
    if detail["type"] == "extra_forbidden":
        valid = _keys(_model_at(model, path[:-1]))
        return f"{key} is no known key.{nearest(path[-1], valid)} Valid here: {', '.join(valid)}."
    if detail["type"] == "missing":
        return f"{key} is missing and has no default; copy it from config.yml of the project."
    if detail["type"] == "literal_error":
        valid = get_args(_model_at(model, path[:-1]).model_fields[path[-1]].annotation)
        return f"{key}: {value!r} is not allowed.{nearest(str(value), valid)} Valid: {valid}."
    if detail["type"] == "string_pattern_mismatch":
        return f"{key}: {value!r} is no name; use lower-case letters, digits and underscores."
    if detail["type"] == "value_error":
        shown = "" if isinstance(value, dict) else f": {value!r}"
        return f"{key}{shown} {detail['ctx']['error']}."
    message = detail["msg"].replace("Input should be", "should be", 1)
    return f"{key}: {value!r} {message[0].lower()}{message[1:]}."


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(model: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """Follow a key path through the settings classes; a mapping swallows one part."""
    current: Any = model
    for part in path:
        if get_origin(current) is dict:
            current = get_args(current)[1]
        else:
            fields = {field.alias or name: field for name, field in current.model_fields.items()}
            current = fields[part].annotation
    return current


def unique_key_loader() -> type[yaml.SafeLoader]:
    """Return a YAML loader that refuses a repeated key; YAML itself keeps the last one silently."""
    return types.new_class(
        "UniqueKeyLoader",
        # The one in C is ten times faster, where PyYAML was built with it.
        (getattr(yaml, "CSafeLoader", yaml.SafeLoader),),
        exec_body=lambda body: body.update(construct_mapping=_construct_unique_mapping),
    )


def _construct_unique_mapping(
    loader: yaml.SafeLoader, node: yaml.MappingNode, deep: bool = False
) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise ConfigError(
            f"{', '.join(repeated)} stands more than once, again in line "
            f"{node.start_mark.line + 1} and after; keep one."
        )
    return yaml.SafeLoader.construct_mapping(loader, node, deep)
