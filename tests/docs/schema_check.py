"""A JSON Schema checker for the words that docs/schemas uses (a part of draft 2020-12), with nothing but the standard library.

An unknown word in a schema is an error, so that no schema can promise what is not checked.
"""

import json
import pathlib
import re

IGNORED = {"$schema", "$id", "title", "description", "default", "$defs"}
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
}


class Checker:
    def __init__(self, folder):
        self.schemas = {path.name: json.loads(path.read_text()) for path in pathlib.Path(folder).glob("*.schema.json")}

    def errors(self, value, name):
        """What is wrong with `value` by the schema file `name`: a list of sentences, empty if nothing."""
        return list(self._check(value, self.schemas[name], name, "$"))

    def _resolve(self, reference, name):
        file, _, pointer = reference.partition("#")
        name = file or name
        schema = self.schemas[name]
        for part in pointer.strip("/").split("/") if pointer else []:
            schema = schema[part]
        return schema, name

    def _check(self, value, schema, name, where):
        for word, argument in schema.items():
            if word in IGNORED:
                continue
            check = getattr(self, "_" + word.strip("$").lower(), None)
            if check is None:
                yield f"{name}: the schema word '{word}' is not known to the checker"
            else:
                yield from check(value, argument, schema, name, where)

    def _ref(self, value, argument, schema, name, where):
        target, name = self._resolve(argument, name)
        yield from self._check(value, target, name, where)

    def _type(self, value, argument, schema, name, where):
        names = argument if isinstance(argument, list) else [argument]
        if not any(TYPES[one](value) for one in names):
            yield f"{where}: {value!r:.60} is not of type {' or '.join(names)}"

    def _enum(self, value, argument, schema, name, where):
        if value not in argument:
            yield f"{where}: {value!r:.60} is not one of {argument}"

    def _required(self, value, argument, schema, name, where):
        if isinstance(value, dict):
            yield from (f"{where}: '{key}' is missing" for key in argument if key not in value)

    def _properties(self, value, argument, schema, name, where):
        if isinstance(value, dict):
            for key, part in argument.items():
                if key in value:
                    yield from self._check(value[key], part, name, f"{where}.{key}")

    def _additionalproperties(self, value, argument, schema, name, where):
        if isinstance(value, dict):
            for key in value.keys() - schema.get("properties", {}).keys():
                if argument is False:
                    yield f"{where}: '{key}' is not a key that the schema knows"
                elif argument is not True:
                    yield from self._check(value[key], argument, name, f"{where}.{key}")

    def _items(self, value, argument, schema, name, where):
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._check(item, argument, name, f"{where}[{index}]")

    def _anyof(self, value, argument, schema, name, where):
        if not any(not list(self._check(value, one, name, where)) for one in argument):
            yield f"{where}: {value!r:.60} fits none of the alternatives"

    def _oneof(self, value, argument, schema, name, where):
        fits = sum(not list(self._check(value, one, name, where)) for one in argument)
        if fits != 1:
            yield f"{where}: {value!r:.60} fits {fits} of the alternatives, not one"

    def _minimum(self, value, argument, schema, name, where):
        if TYPES["number"](value) and value < argument:
            yield f"{where}: {value} is below {argument}"

    def _maximum(self, value, argument, schema, name, where):
        if TYPES["number"](value) and value > argument:
            yield f"{where}: {value} is above {argument}"

    def _exclusivemaximum(self, value, argument, schema, name, where):
        if TYPES["number"](value) and value >= argument:
            yield f"{where}: {value} is not below {argument}"

    def _maxitems(self, value, argument, schema, name, where):
        if isinstance(value, list) and len(value) > argument:
            yield f"{where}: more than {argument} items"

    def _minlength(self, value, argument, schema, name, where):
        if isinstance(value, str) and len(value) < argument:
            yield f"{where}: shorter than {argument} characters"

    def _pattern(self, value, argument, schema, name, where):
        if isinstance(value, str) and not re.search(argument, value):
            yield f"{where}: {value!r:.60} does not match {argument}"
