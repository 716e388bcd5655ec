"""What jinja2 makes of its whole table of filters, tests, methods and operators, in the environment that transformers renders with.

Each line of `crossed.jsonl` is an expression over `v`, with its answer for each of the values below (null for all where it cannot be
parsed): a text, null for an error, false where the answer names an address or never comes. Each line of `templates.jsonl` is a template with its answer.
"""

import copy
import re
import warnings
from pathlib import Path

from transformers.utils import chat_template_utils

from .output import compact
from .templates import Clock

HERE = Path(__file__).parent

# The values, as a template writes them.
VALUES = [
    "none", "nope", "true", "false", "0", "1", "-7", "12345678901234567890", "3.7", "-2.5", "1e16", "('inf' ~ nope) | float",
    "''", "'abc'", "'Hello wORLD'", "' é ß ǆ Σς x\\n'", "'12'", "'-3.5'", "'a,b,,c'", "'line\\nother\\r\\n\\nend\\n'", "'<b>&\"q\\'</b>'",
    "'<i>' | safe", "'%s and {}'", "[]", "[3, 1, 2]", "['b', 'A', 'c', 'a']", "[1, 'a', none, 2.5]", "[[1, 2], [3, 4], []]", "(1, 'x')", "{}",
    "{'b': 1, 'a': 'x'}", "{1: 'one', none: [2]}", "[{'a': 1, 'b': 'x'}, {'a': 2}, {'b': none}]", "range(3)",
    "[1, 2, 1] | map('string')", "{'k': 1}.items()", "{'k': 1}.keys()", "'abc'.upper", "range", "namespace(a=1)", "messages",
]  # fmt: skip

# Arguments that are tried with every filter and test beside its own.
ANY = ["", "()", "(1)", "('a')", "(none)", "(nope)", "([1])", "(1, 2, 3, 4, 5)", "(zzz=1)"]

FILTERS = {
    "abs": [], "attr": ["('upper')", "('a')", "(name='items')"], "batch": ["(2)", "(2, 'x')", "(linecount=3, fill_with=0)", "(0)", "(-1)", "('2')"],
    "capitalize": [], "center": ["(5)", "(width=8)", "('5')", "(-3)"], "count": [],
    "d": ["('x')", "('x', true)"], "default": ["('x')", "('x', true)", "(default_value='y', boolean=1)"],
    "dictsort": ["(true)", "(by='value')", "(false, 'value', true)", "(by='other')", "(reverse=true)"], "e": [], "escape": [],
    "first": [], "float": ["(2.5)", "(default='x')"], "forceescape": [], "format": ["('x', 5)", "(a=1)", "(1, a=2)"],
    "groupby": ["('a')", "('a', default=0)", "(attribute='b', case_sensitive=true)", "(0)"],
    "indent": ["(2)", "(2, true)", "(1, blank=true)", "('> ')", "(width=3, first=true, blank=true)", "(-1)", "(1.5)"],
    "int": ["(7)", "(0, 16)", "(base=2)", "(default='x')", "(0, 0)", "(0, 99)"], "items": [], "join": ["(', ')", "(', ', 'a')", "(attribute='a')", "(d='|')", "(5)"],
    "last": [], "length": [], "list": [], "lower": [],
    "map": ["('upper')", "('string')", "(attribute='a')", "(attribute='a', default='d')", "('int', 5)", "('default', 'x', true)", "(attribute=0)", "('nope')", "(attribute='a', x=1)", "('first')", "('round', method='floor')", "(default='x')"],
    "max": ["(true)", "(attribute='a')", "(case_sensitive=true)"], "min": ["(true)", "(attribute='a')", "(case_sensitive=true)"],
    "reject": ["('odd')", "('none')", "('equalto', 1)", "('string')", "('nope')", "('in', [1, 2])", "('gt', 1)"],
    "rejectattr": ["('a')", "('a', 'defined')", "('a', 'equalto', 1)", "('a', 'nope')", "(0)"],
    "replace": ["('a', 'x')", "('a', 'x', 1)", "('', '-')", "(old='b', new='')", "('a', 'x', none)", "('a', 'x', -1)", "(1, 2)", "('b', count=1, new='y')"],
    "reverse": [], "round": ["(1)", "(2, 'ceil')", "(method='floor')", "(-1)", "(0, 'x')", "('1')", "(precision=1, method='common')", "(-1, 'ceil')"],
    "safe": [], "select": ["('odd')", "('none')", "('equalto', 1)", "('string')", "('nope')", "('in', [1, 2])", "('defined')", "('gt', 1)"],
    "selectattr": ["('a')", "('a', 'defined')", "('a', 'equalto', 1)", "('a', 'nope')", "(0)", "('role', 'in', ['user'])"],
    "slice": ["(2)", "(2, 'x')", "(slices=3, fill_with=0)", "(0)", "(7)"],
    "sort": ["(true)", "(case_sensitive=true)", "(attribute='a')", "(reverse=true, attribute='b')", "(attribute='a,b')", "(attribute=0)"],
    "string": [], "striptags": [], "sum": ["('a')", "(attribute='a')", "(start=10)", "(none, 'x')", "(start=[])", "(start=1.5)"],
    "title": [], "tojson": ["(indent=2)", "(true)", "(ensure_ascii=true)", "(separators=(',', ':'))", "(sort_keys=true)", "(indent=0)", "(indent='  ')", "(false, 1, ('; ', '= '), true)", "(separators='ab')", "(indent=-1)", "(indent=true)"],
    "trim": ["('a')", "(chars='<>')", "(' \\n')"], "truncate": ["(5)", "(5, true)", "(5, false, '…', 0)", "(length=4, leeway=0)", "(1)", "(5, end='')"],
    "unique": ["(true)", "(attribute='a')", "(case_sensitive=true)"], "upper": [], "urlencode": [], "wordcount": [],
    "filesizeformat": ["(true)"], "pprint": [], "urlize": [], "wordwrap": ["(3)"], "xmlattr": [],
}  # fmt: skip

TESTS = {
    "boolean": [], "callable": [], "defined": [], "divisibleby": ["(2)", " 3", "(0)", "(num=1)"], "eq": ["(none)", " 'abc'", "(1.0)", "([3, 1, 2])"], "equalto": ["(1)"],
    "escaped": [], "even": [], "false": [], "filter": [], "float": [], "ge": ["(1)", "('b')"], "gt": ["(1)", "('b')"], "greaterthan": ["(1)"], "in": ["([1, 'abc', none])", "('xabcx')", "({'abc': 1})", " [1]", "(range(5))"],
    "integer": [], "iterable": [], "le": ["(1)", "('b')"], "lower": [], "lt": ["(1)", "('b')"], "lessthan": ["(1)"], "mapping": [], "ne": ["(1)", "('abc')"], "none": [], "number": [], "odd": [],
    "sameas": ["(none)", "(true)", " 1", "('abc')", "(1.0)"], "sequence": [], "string": [], "test": [], "true": [], "undefined": [], "upper": [],
}  # fmt: skip

METHODS = {
    "capitalize": [], "casefold": [], "center": ["(9)", "(8, '*')", "(8, 'ab')", "(8.0)"], "count": ["('a')", "('')", "('a', 1)", "('l', 0, 3)", "(1)", "('a', none, -1)"],
    "encode": ["('utf-8')"], "endswith": ["('c')", "(('x', 'c'))", "('b', 0, 2)", "(['c'])", "('')", "('c', 9)"], "expandtabs": ["(4)", "(tabsize=2)"], "find": ["('b')", "('')", "('b', 2)", "('o', -4, -1)", "('', 99)"],
    "format": ["(1)", "(1, 2)", "(a=1)"], "format_map": ["({'a': 1})"], "index": ["('b')", "('zz')"], "isalnum": [], "isalpha": [], "isascii": [], "isdecimal": [], "isdigit": [], "isidentifier": [],
    "islower": [], "isnumeric": [], "isprintable": [], "isspace": [], "istitle": [], "isupper": [], "join": ["(['x', 'y'])", "('ab')", "([1])", "([])", "({'k': 1})"], "ljust": ["(9)", "(9, '.')"], "lower": [],
    "lstrip": ["('aH ')", "(none)"], "maketrans": ["('a', 'b')"], "partition": ["(' ')", "(',')", "('')"], "removeprefix": ["('a')", "('')"], "removesuffix": ["('c')", "('')", "('\\n')"],
    "replace": ["('a', 'x')", "('', '-')", "('l', 'L', 1)", "('b', '', -1)", "('a', 'b', count=1)", "(old='a', new='b')"], "rfind": ["('o')", "('')", "('l', 0, 4)"], "rindex": ["('o')"], "rjust": ["(9)", "(9, '.')"], "rpartition": ["(' ')", "(',')"],
    "rsplit": ["(',')", "(none, 1)", "(' ', 1)", "(maxsplit=1)", "(sep=',', maxsplit=2)", "('')"], "rstrip": ["('c\\n')"], "split": ["(',')", "(none, 1)", "(' ', 1)", "(maxsplit=1)", "(sep=',', maxsplit=2)", "('')", "('\\n')", "(',', 0)"],
    "splitlines": ["(true)", "(keepends=true)"], "startswith": ["('a')", "(('x', 'H'))", "('e', 1)", "('', 99)"], "strip": ["('ac')", "('<>b/')"], "swapcase": [], "title": [], "translate": ["({97: 'x'})"], "upper": [], "zfill": ["(9)", "('9')"],
    # Of lists, mappings, numbers and the rest.
    "append": ["(1)"], "copy": [], "extend": ["([1])"], "insert": ["(0, 1)"], "pop": ["(0)", "('a')"], "remove": ["(1)"], "reverse": [], "sort": [], "clear": [],
    "get": ["('a')", "('a', 'd')", "('zz')", "('zz', 'd')", "([])", "('zz', default='d')"], "items": [], "keys": [], "values": [], "setdefault": ["('a', 1)"], "update": ["({})"], "popitem": [], "fromkeys": ["(['a', 'b'])", "(['a'], 0)"],
    "bit_length": [], "bit_count": [], "is_integer": [], "as_integer_ratio": [], "conjugate": [], "hex": [], "to_bytes": ["(2)"], "start": None, "stop": None, "real": None, "__class__": None, "__len__": [], "mapping": None,
}  # fmt: skip

# What stands on the other side of an operator.
OTHERS = ["none", "nope", "2", "-3", "1.5", "'abc'", "'a'", "[3, 1]", "(1, 'x')", "{'b': 1}", "true", "0"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]

MORE = [
    "v", "not v", "-v", "+v", "v ~ v", "v == v", "v[0]", "v[-1]", "v['a']", "v.a", "v[none]", "v[1.0]", "v['upper']", "v.upper", "v[true]", "v[99]",
    "v[:]", "v[1:]", "v[:-1]", "v[::2]", "v[::-1]", "v[-2:]", "v[5:1:-2]", "v[none:2]", "v['a':]", "v[::0]", "v[1.0:]", "v[:99]", "v[0:2, 1]",
    "[v]", "(v,)", "{'k': v}", "{v: 1}", "v if v else 'no'", "v if v", "v()", "v(1)", "[v, 1] | tojson", "(v | string) | tojson", "v is defined and v", "0 < v < 5", "v == 1 == true",
    "'%s' % v", "'%r' % v", "'%d' % v", "'%5.1f|%-6s|' % (v, v)", "'%x' % v", "'%(a)s' % v", "'%c' % v", "'%e' % v", "'%g' % v", "'%05d' % v", "'%+d' % v", "'%s %s' % v", "'%%' % v", "'%i' % v", "'%.2s' % v", "'%a' % v",
    "'{}'.format(v)", "'{!r}'.format(v)", "'{:>8}'.format(v)", "'{:d}'.format(v)", "'{:.2f}'.format(v)", "'{:,}'.format(v)", "'{:e}'.format(v)", "'{0}{0}'.format(v)", "'{x}'.format(x=v)", "'{x[0]}'.format(x=v)", "'{x.a}'.format(x=v)", "'{:^+9.3}'.format(v)", "'{:x}'.format(v)", "'{:%}'.format(v)", "'{:s}'.format(v)", "'{:{w}}'.format(v, w=6)", "'{:n}'.format(v)", "'{:_}'.format(v)", "'{:08.2f}'.format(v)", "'{:<3}|'.format(v)", "'{:*^7}'.format(v)",
    "range(v)", "range(1, v)", "range(0, 9, v)", "dict(v)", "dict(a=v)", "dict(v, z=1)", "namespace(v)", "namespace(a=v).a", "cycler(v).next()", "joiner(v)()", "raise_exception(v)", "strftime_now(v)",
    "v | list", "v | map('upper') | list", "v | select | list", "v | reject('none') | list", "v | map(attribute='a') | list", "v | selectattr('a') | list", "v | batch(2) | list", "v | unique | list", "v | items | list", "v | reverse | list", "v | slice(2) | list", "v | groupby('a') | list", "v | rejectattr('a', 'defined') | list", "v | sort(attribute='a') | list", "v | list | length", "v | first | upper", "v | join | length", "v | map('length') | sum", "v | map('default', 'x') | join('-')", "v | string | length", "v | upper | list",
]  # fmt: skip

# An address, or the beginning of a text that has one.
ADDRESS = re.compile(r"0x[0-9a-f]{6}|^\W*(<|&lt;|%3C)(bound|built|class|func|gener|dict)", re.IGNORECASE)
# Values whose text is an address.
ADDRESS_OF = re.compile(r"map\(|^range$|upper$")
MESSAGES = [{"role": "user", "content": "Hi!"}, {"role": "assistant", "content": " é\n"}]


def answer(make) -> str | bool | None:
    try:
        text = make()
    except Exception:
        return None
    return False if ADDRESS.search(text) else text


def render(source: str) -> str | bool | None:
    return answer(lambda: chat_template_utils._compile_jinja_template(source).render(messages=copy.deepcopy(MESSAGES)))


def crossed(expression: str, values: list) -> list:
    """The answers for each value. Powers with a huge exponent are left out: Python never ends with them."""
    template = chat_template_utils._compile_jinja_template("{{ " + expression + " }}")

    def one(value):
        def make():
            given = {"messages": copy.deepcopy(MESSAGES)}
            return template.render(v=value.make_module(given).v, **given)

        return make

    endless = "** v" in expression
    # What counts the letters of an address.
    counts = re.search(r"string\) ?\||string \| length|wordcount|truncate|center|upper \| list|replace\(''", expression)
    skipped = [(endless and text.isdigit() and len(text) > 15) or (counts and ADDRESS_OF.search(text)) for text in VALUES]
    return [False if skip else answer(one(value)) for skip, value in zip(skipped, values)]


def expressions() -> list[str]:
    made = list(MORE)
    made += [f"v {operator} {other}" for operator in OPERATORS for other in OTHERS]
    made += [f"{other} {operator} v" for operator in OPERATORS for other in OTHERS]
    made += [f"v | {name}{shape}" for name, own in FILTERS.items() for shape in dict.fromkeys(ANY + own)]
    made += [f"v is {name}{shape}" for name, own in TESTS.items() for shape in dict.fromkeys(ANY + own)]
    made += [f"v is not {name}" for name in TESTS]
    for name, own in METHODS.items():
        if own is None:
            made.append(f"v.{name}")
            continue
        made += [f"v.{name}{shape}" for shape in dict.fromkeys(["()", "(1)", "(1, 2, 3, 4)", "(zzz=1)", *own])]
    return list(dict.fromkeys(made))


def generate(folder: Path) -> None:
    warnings.simplefilter("ignore")
    chat_template_utils.datetime = Clock
    lines = [compact({"values": VALUES})]
    values = [chat_template_utils._compile_jinja_template(f"{{% set v = {value} %}}") for value in VALUES]
    for expression in expressions():
        try:
            answers = crossed(expression, values)
        except Exception:
            answers = None
        lines.append(compact({"of": expression, "gives": answers}))
    (folder / "crossed.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"  crossed: {len(lines) - 1} expressions over {len(VALUES)} values")
    templates = (HERE / "language.txt").read_text(encoding="utf-8").splitlines()
    made = [compact({"template": source, "gives": render(source)}) for source in (line.replace("↵", "\n") for line in templates)]
    (folder / "templates.jsonl").write_text("\n".join(made) + "\n", encoding="utf-8")
    print(f"  templates: {len(made)}")
