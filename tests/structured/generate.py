"""Writes schemas.jsonl: one JSON schema a line over every keyword that can be enforced, alone and in combinations.

Run it again after a change (`python3 tests/structured/generate.py`); the same program writes the same file.
"""

import json
import random
from pathlib import Path

CASES: dict[str, object] = {}


def case(name: str, schema: object) -> None:
    assert name not in CASES, name
    CASES[name] = schema


def closed(properties: dict, required: list | None = None, **more: object) -> dict:
    required = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **more}


def types() -> None:
    for name in ["null", "boolean", "integer", "number", "string", "array", "object"]:
        case(f"type-{name}", {"type": name})
        case(f"type-{name}-or-null", {"type": [name, "null"]} if name != "null" else {"type": ["null"]})
    case("types-scalar", {"type": ["string", "number", "boolean"]})
    case("types-number-and-integer", {"type": ["integer", "number"]})
    case("types-all", {"type": ["null", "boolean", "integer", "string", "array", "object"]})


def numbers() -> None:
    bounds = [(0, 10), (-5, 5), (-100, -10), (1, 1), (0, 1), (999, 1001), (-1, 99999), (10, 1000000)]
    for low, high in bounds:
        for kind in ["integer", "number"]:
            case(f"{kind}-{low}-to-{high}", {"type": kind, "minimum": low, "maximum": high})
        if high > low + 1:
            case(f"integer-between-{low}-and-{high}", {"type": "integer", "exclusiveMinimum": low, "exclusiveMaximum": high})
    for low, high in [(0.5, 1.5), (-0.25, 0.25), (3.14, 3.15), (1e-3, 1e3), (-2.5, -0.5), (0.1, 0.11)]:
        case(f"number-{low}-to-{high}", {"type": "number", "minimum": low, "maximum": high})
        case(f"number-between-{low}-and-{high}", {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": high})
    for keyword, bound in [("minimum", 18), ("maximum", -3), ("exclusiveMinimum", 0), ("exclusiveMaximum", 100),
                           ("minimum", -7), ("maximum", 12)]:
        for kind in ["integer", "number"]:
            case(f"{kind}-{keyword}-{bound}", {"type": kind, keyword: bound})
    for divisor in [2, 3, 5, 7, 10, 25, 100]:
        case(f"integer-multiple-of-{divisor}", {"type": "integer", "multipleOf": divisor})
    for divisor in [0.5, 0.25, 2, 10]:
        case(f"number-multiple-of-{divisor}", {"type": "number", "multipleOf": divisor, "minimum": -1000, "maximum": 1000})
    case("integer-multiple-of-3-within", {"type": "integer", "multipleOf": 3, "minimum": 10, "maximum": 50})


def strings() -> None:
    for low, high in [(0, 0), (0, 1), (1, 1), (2, 5), (10, 10), (0, 40), (30, 60)]:
        case(f"length-{low}-to-{high}", {"type": "string", "minLength": low, "maxLength": high})
    case("length-at-least-3", {"type": "string", "minLength": 3})
    case("length-at-most-8", {"type": "string", "maxLength": 8})
    for format in ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri",
                   "uri-reference", "json-pointer", "relative-json-pointer", "idn-email", "iri"]:
        case(f"format-{format}", {"type": "string", "format": format})
    case("format-unknown", {"type": "string", "format": "int64", "maxLength": 6})
    case("format-and-length", {"type": "string", "format": "email", "maxLength": 30})
    case("format-and-pattern", {"type": "string", "format": "date", "pattern": "^20"})
    patterns = ["^[A-Z]{3}$", "^\\d{3}-\\d{4}$", "^(a|b)+$", "^[^\"\\\\]*$", "b", "^x", "x$", "^(foo|bar|baz)$", "^#[0-9a-fA-F]{6}$",
                "^\\w+@\\w+\\.com$", "^\\s?\\S{2}\\s?$", "^[\\u00e0-\\u00ff]{2,4}$", "^(\\+\\d{1,3} )?\\d{6,8}$", "^.{3}$", "^$",
                "^a?b?c?$", "^(?:[a-z]+\\.)*[a-z]+$", "^[\\]\\[]{2}$", "^\\/\\w*(\\/\\w*)?$", "^\\u4e2d😀+$", "^\\t\\n?$",
                "^[y-z]$", "^-?[1-9]\\d{0,2}(,\\d{3})?$", "a|^b$"]
    for index, pattern in enumerate(patterns):
        case(f"pattern-{index}", {"type": "string", "pattern": pattern})
    case("pattern-and-length", {"type": "string", "pattern": "^[ab]*$", "minLength": 3, "maxLength": 6})
    case("pattern-without-type", {"pattern": "^[ab]$"})


def constants() -> None:
    values = [None, True, False, 0, -1, 42, 1.5, -0.001, "", "a", "with \"quotes\" and \\", "日本語 😀", "line\nbreak\ttab", [], [1, "a", None],
              {}, {"a": 1, "b": [True]}, {"nested": {"deep": {"er": "x"}}}, "</script>", "\u00e9\u0301"]
    for index, value in enumerate(values):
        case(f"const-{index}", {"const": value})
    case("enum-strings", {"enum": ["red", "green", "blue", "reddish", "red "]})
    case("enum-numbers", {"enum": [1, 2, 10, 11, -1, 0.5, 12345]})
    case("enum-mixed", {"enum": values})
    case("enum-prefixes", {"enum": ["a", "ab", "abc", "abcd", "b"]})
    case("enum-with-type", {"type": "string", "enum": ["x", "y"]})
    case("enum-filtered-by-type", {"type": "integer", "enum": [1, "x", 2.5, None, 7]})
    case("enum-objects", {"enum": [{"k": 1}, {"k": 2}, {"k": 1, "l": 2}]})
    case("enum-many", {"enum": [f"value-{index:03}" for index in range(300)]})
    case("enum-unicode", {"enum": ["ä", "ö", "ü", "ß", "é", "漢字", "🙂"]})


def arrays() -> None:
    items = {"strings": {"type": "string", "maxLength": 5}, "integers": {"type": "integer"}, "booleans": {"type": "boolean"},
             "nulls": {"type": "null"}, "enums": {"enum": ["a", "b"]}, "objects": closed({"x": {"type": "integer"}}),
             "arrays": {"type": "array", "items": {"type": "integer"}, "maxItems": 3}, "any": True}
    for name, item in items.items():
        case(f"array-of-{name}", {"type": "array", "items": item})
        case(f"array-of-2-to-4-{name}", {"type": "array", "items": item, "minItems": 2, "maxItems": 4})
    for low, high in [(0, 0), (0, 1), (1, 1), (3, 3), (0, 5), (5, 20), (17, 17)]:
        case(f"items-{low}-to-{high}", {"type": "array", "items": {"type": "boolean"}, "minItems": low, "maxItems": high})
    case("items-at-least-9", {"type": "array", "items": {"enum": [1]}, "minItems": 9})
    tuple_ = [{"type": "string", "maxLength": 3}, {"type": "integer"}, {"type": "boolean"}]
    case("prefix-items", {"type": "array", "prefixItems": tuple_})
    case("prefix-items-closed", {"type": "array", "prefixItems": tuple_, "items": False})
    case("prefix-items-exact", {"type": "array", "prefixItems": tuple_, "items": False, "minItems": 3})
    case("prefix-items-and-more", {"type": "array", "prefixItems": tuple_, "items": {"type": "null"}, "minItems": 2, "maxItems": 6})
    case("prefix-items-cut", {"type": "array", "prefixItems": tuple_, "maxItems": 2})
    case("items-as-tuple", {"$schema": "http://json-schema.org/draft-07/schema#", "type": "array", "items": tuple_,
                            "additionalItems": {"type": "null"}})
    case("items-as-closed-tuple", {"$schema": "http://json-schema.org/draft-07/schema#", "type": "array", "items": tuple_,
                                   "additionalItems": False, "minItems": 1})
    case("array-unique-false", {"type": "array", "items": {"type": "integer"}, "uniqueItems": False, "maxItems": 3})
    case("array-never-filled", {"type": "array", "items": False})


def objects() -> None:
    fields = {"a": {"type": "integer"}, "b": {"type": "string", "maxLength": 4}, "c": {"type": "boolean"}, "d": {"type": "null"}}
    names = list(fields)
    for mask in range(16):
        required = [name for bit, name in enumerate(names) if mask >> bit & 1]
        case(f"required-{mask:04b}", closed(fields, required))
    case("open", {"type": "object", "properties": fields})
    case("open-required", {"type": "object", "properties": fields, "required": ["b", "z"]})
    case("additional-integers", {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "integer"}})
    case("map-of-booleans", {"type": "object", "additionalProperties": {"type": "boolean"}})
    case("map-of-at-most-2", {"type": "object", "additionalProperties": {"type": "null"}, "maxProperties": 2})
    case("map-of-at-least-1", {"type": "object", "additionalProperties": {"type": "null"}, "minProperties": 1})
    case("empty", {"type": "object", "additionalProperties": False})
    case("pattern-properties", {"type": "object", "patternProperties": {"^n_": {"type": "number"}, "^s_": {"type": "string"}},
                                "additionalProperties": False})
    case("pattern-properties-and-named", {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"],
                                          "patternProperties": {"^x-": True}, "additionalProperties": False})
    case("pattern-properties-and-more", {"type": "object", "patternProperties": {"^\\d+$": {"type": "null"}},
                                         "additionalProperties": {"type": "boolean"}})
    case("pattern-property-also-named", {"type": "object", "properties": {"x-a": {"type": "integer"}},
                                         "patternProperties": {"^x-": {"minimum": 3}}, "additionalProperties": False})
    case("at-least-one", closed(fields, [], minProperties=1))
    case("at-most-one", closed(fields, [], maxProperties=1))
    case("exactly-one", closed(fields, [], minProperties=1, maxProperties=1))
    case("exactly-one-more", closed(fields, ["a"], minProperties=2, maxProperties=2))
    case("counts-that-say-nothing", closed(fields, ["a", "b"], minProperties=2, maxProperties=4))
    case("only-the-required", {"type": "object", "properties": fields, "required": ["c", "e"], "maxProperties": 2})
    case("forbidden-property", {"type": "object", "properties": {"a": False, "b": {"type": "integer"}}, "additionalProperties": {"type": "null"}})
    odd = ["", " ", "a b", "a\"b", "a\\b", "ключ", "键", "🔑", "a/b", "a~b", "$ref", "const", "enum", "properties", "\n"]
    case("odd-names", closed({name: {"type": "integer", "minimum": index, "maximum": index} for index, name in enumerate(odd)}))
    case("odd-names-optional", closed({name: {"type": "boolean"} for name in odd}, []))
    case("prefix-names", closed({"a": {"enum": [1]}, "ab": {"enum": [2]}, "abc": {"enum": [3]}}, []))
    case("many-properties", closed({f"field_{index}": {"type": "boolean"} for index in range(60)}, [f"field_{index}" for index in range(0, 60, 7)]))
    nested: dict = {"type": "integer"}
    for depth in range(12):
        nested = closed({f"level{depth}": nested})
    case("nested-12-deep", nested)
    case("array-of-objects-of-arrays", {"type": "array", "maxItems": 3, "items": closed({
        "rows": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}, "maxItems": 2}, "maxItems": 2},
        "tags": {"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 1, "maxItems": 3}})})


def combinations() -> None:
    text, whole = {"type": "string", "maxLength": 4}, {"type": "integer"}
    case("any-of-types", {"anyOf": [text, whole]})
    case("any-of-overlapping", {"anyOf": [{"type": "integer", "minimum": 5}, {"type": "integer", "maximum": 7}]})
    case("any-of-with-base", {"type": "object", "properties": {"k": text}, "anyOf": [{"required": ["k"]}, {"required": ["l"]}]})
    case("any-of-objects", {"anyOf": [closed({"a": whole}), closed({"b": text}), {"type": "null"}]})
    case("any-of-nested", {"anyOf": [{"anyOf": [text, {"type": "null"}]}, {"anyOf": [whole, {"type": "boolean"}]}]})
    case("any-of-with-false", {"anyOf": [False, whole]})
    case("all-of-bounds", {"allOf": [{"type": "integer"}, {"minimum": 3}, {"maximum": 9}]})
    case("all-of-objects", {"allOf": [{"type": "object", "properties": {"a": whole}, "required": ["a"]},
                                      {"type": "object", "properties": {"b": text}, "required": ["b"]}]})
    case("all-of-refs", {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}],
                         "$defs": {"a": {"type": "object", "properties": {"x": whole}, "required": ["x"]},
                                   "b": {"type": "object", "properties": {"y": whole}, "required": ["y"]}}})
    case("all-of-patterns", {"type": "string", "allOf": [{"pattern": "^a"}, {"pattern": "z$"}], "maxLength": 8})
    case("all-of-any-of", {"allOf": [{"anyOf": [whole, text]}, {"anyOf": [text, {"type": "null"}]}]})
    case("one-of-types", {"oneOf": [text, whole, {"type": "null"}]})
    case("one-of-constants", {"oneOf": [{"const": "a"}, {"const": "b"}, {"enum": [1, 2]}]})
    case("one-of-ranges", {"oneOf": [{"type": "integer", "maximum": 0}, {"type": "integer", "minimum": 10}]})
    shapes = {"circle": {"radius": {"type": "number", "minimum": 0, "maximum": 100}}, "square": {"side": {"type": "integer"}}, "point": {}}
    case("one-of-tagged", {"oneOf": [closed({"kind": {"const": kind}, **rest}) for kind, rest in shapes.items()]})
    case("one-of-tagged-refs", {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in shapes],
                                "$defs": {kind: closed({"kind": {"enum": [kind]}, **rest}) for kind, rest in shapes.items()}})
    case("one-of-closed", {"oneOf": [closed({"a": whole}), closed({"b": whole})]})
    case("one-of-nullable-ref", {"oneOf": [{"$ref": "#/$defs/t"}, {"type": "null"}], "$defs": {"t": text}})


def references() -> None:
    tree = {"type": "object", "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
            "required": ["value", "children"], "additionalProperties": False}
    case("tree", {"$ref": "#/$defs/node", "$defs": {"node": tree}})
    case("linked-list", {"$ref": "#/$defs/n", "$defs": {"n": closed({"v": {"type": "boolean"}, "next": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}})}})
    case("self-root", {"type": "object", "properties": {"inner": {"$ref": "#"}}, "additionalProperties": False})
    case("mutual", {"$ref": "#/$defs/a", "$defs": {"a": closed({"b": {"$ref": "#/$defs/b"}}, []), "b": closed({"a": {"$ref": "#/$defs/a"}}, [])}})
    case("definitions", {"definitions": {"id": {"type": "integer", "minimum": 1}}, "type": "array", "items": {"$ref": "#/definitions/id"}, "maxItems": 4})
    case("reference-into-properties", closed({"a": {"type": "integer", "maximum": 3}, "b": {"$ref": "#/properties/a"}}))
    case("reference-escaped", {"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"const": "found"}}})
    case("reference-chain", {"$ref": "#/$defs/0", "$defs": {**{str(i): {"$ref": f"#/$defs/{i + 1}"} for i in range(8)}, "8": {"type": "null"}}})
    case("reference-with-siblings", {"$ref": "#/$defs/n", "minimum": 5, "$defs": {"n": {"type": "integer", "maximum": 9}}})
    case("reference-used-often", closed({name: {"$ref": "#/$defs/t"} for name in "abcdef"}) | {"$defs": {"t": {"enum": ["x", "y", "z"]}}})
    case("json-value", {"$ref": "#/$defs/v", "$defs": {"v": {"anyOf": [
        {"type": ["null", "boolean", "integer"]}, {"type": "string", "maxLength": 3}, {"type": "array", "items": {"$ref": "#/$defs/v"}},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/v"}}]}}})
    case("endless-branch", {"type": "object", "properties": {"ok": {"type": "null"}, "never": {"$ref": "#/$defs/never"}}, "additionalProperties": False,
                            "$defs": {"never": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/never"}}}})


def annotations() -> None:
    case("annotated", {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/x", "title": "T", "description": "D",
                       "$comment": "c", "default": 1, "examples": [1], "readOnly": True, "deprecated": False, "type": "integer"})
    case("unknown-keywords", {"type": "integer", "x-unit": "cm", "nullable": False, "discriminator": {"propertyName": "k"}})
    case("true", True)
    case("nothing", {})


def mixtures(count: int) -> None:
    """Objects with what a chance puts together."""
    chance = random.Random(3)
    leaves = [lambda: {"type": "integer", "minimum": chance.randint(-9, 0), "maximum": chance.randint(1, 99)},
              lambda: {"type": "string", "maxLength": chance.randint(1, 9)}, lambda: {"type": ["boolean", "null"]},
              lambda: {"enum": chance.sample(["a", "b", 1, 2, None, True, "ü"], 3)}, lambda: {"type": "string", "format": "date"},
              lambda: {"type": "string", "pattern": f"^[a-{chance.choice('cdefg')}]{{{chance.randint(1, 4)}}}$"},
              lambda: {"const": chance.choice(["k", 7, False])}]

    def schema(depth: int) -> dict:
        kind = chance.randrange(4) if depth > 0 else 3
        if kind == 0:
            names = chance.sample(["id", "name", "naïve", "n 1", "tags", "x"], chance.randint(1, 4))
            return closed({name: schema(depth - 1) for name in names}, [name for name in names if chance.random() < 0.6])
        if kind == 1:
            low = chance.randint(0, 2)
            return {"type": "array", "items": schema(depth - 1), "minItems": low, "maxItems": low + chance.randint(0, 3)}
        if kind == 2:
            return {"anyOf": [schema(depth - 1), schema(depth - 1)]}
        return chance.choice(leaves)()

    for index in range(count):
        case(f"mixture-{index}", closed({"a": schema(3), "b": schema(2)}, ["a"]))


types()
numbers()
strings()
constants()
arrays()
objects()
combinations()
references()
annotations()
mixtures(36)
lines = [json.dumps({"name": name, "schema": schema}, ensure_ascii=False) for name, schema in CASES.items()]
Path(__file__).with_name("schemas.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
print(len(lines), "schemas")
