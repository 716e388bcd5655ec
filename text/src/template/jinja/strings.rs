//! The methods of Python's `str`. Places and lengths count characters.

use super::super::TemplateError;
use super::arguments::{Args, flag, int, required, text as text_argument};
use super::eval::Vm;
use super::methods::{positional, unknown};
use super::provenance::{Text, TextBuilder};
use super::text::{self, is_cased, is_space};
use super::value::Value;
use super::{format, print};

/// Their names; those that cannot be called here are named when they are.
pub const METHODS: [&str; 47] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

pub fn call(vm: &mut Vm, text: &Text, name: &str, args: Args) -> Result<Value, TemplateError> {
    vm.limits.scan(text.len())?;
    match name {
        "strip" | "lstrip" | "rstrip" => {
            let [chars] = positional(name, args)?;
            let stripped = strip(text, chars.as_ref(), name)?;
            Value::built(&mut vm.limits, text.part(stripped))
        }
        "split" | "rsplit" => split(vm, text, name == "rsplit", args),
        "partition" | "rpartition" => partition(vm, text, name == "rpartition", args),
        "splitlines" => {
            let [keep] = args.bind(name, ["keepends"])?;
            let lines = text::lines(text, flag(keep));
            list_of(vm, text, &lines)
        }
        "join" => join(vm, text, args),
        "replace" => {
            let [old, new, count] = positional(name, args)?;
            let (old, new) = (text_argument(name, old)?, text_argument(name, new)?);
            replace(vm, text, &old, &new, int(count, -1)?)
        }
        "removeprefix" | "removesuffix" => {
            let [part] = positional(name, args)?;
            let part = text_argument(name, part)?;
            let rest = if name == "removeprefix" { text.strip_prefix(&*part) } else { text.strip_suffix(&*part) };
            Value::built(&mut vm.limits, text.part(rest.unwrap_or(text)))
        }
        "startswith" | "endswith" => affix(text, name, args),
        "find" | "rfind" | "index" | "rindex" | "count" => find(text, name, args),
        "format" => format::braces(&mut vm.limits, text, &args.positional, &args.named),
        "center" | "ljust" | "rjust" | "zfill" | "expandtabs" => pad(vm, text, name, args),
        _ => match plain(text, name) {
            Some(answer) => {
                let [] = args.bind(name, [])?;
                vm.limits.build(text.len())?;
                Ok(answer)
            }
            None => Err(unknown(&Value::Str(text.clone()), name)),
        },
    }
}

/// The methods without arguments.
fn plain(text: &Text, name: &str) -> Option<Value> {
    let made = |made: String| Value::Str(text.derived(made));
    let all = |check: fn(char) -> bool| Value::Bool(!text.is_empty() && text.chars().all(check));
    Some(match name {
        "upper" => made(text.to_uppercase()),
        "lower" => made(text.to_lowercase()),
        "casefold" => made(text.to_lowercase().replace('ß', "ss").replace('ς', "σ")),
        "capitalize" => made(text::capitalize(text)),
        "title" => made(text::title(text)),
        "swapcase" => made(swap_case(text)),
        "isalnum" => all(char::is_alphanumeric),
        // Letters that are numbers (Ⅻ) are alphabetic to Rust and not to Python.
        "isalpha" => all(|c| c.is_alphabetic() && !c.is_numeric()),
        "isdecimal" => all(text::is_decimal),
        "isdigit" => all(text::is_digit),
        "isnumeric" => all(char::is_numeric),
        "isspace" => all(is_space),
        "isascii" => Value::Bool(text.is_ascii()),
        "isprintable" => Value::Bool(text.chars().all(text::is_printable)),
        "isidentifier" => Value::Bool(
            text.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && text.chars().all(|c| c.is_alphanumeric() || c == '_'),
        ),
        "islower" => Value::Bool(has_case(text, char::is_lowercase)),
        "isupper" => Value::Bool(has_case(text, char::is_uppercase)),
        "istitle" => Value::Bool(text.chars().any(is_cased) && text::title(text) == **text),
        _ => return None,
    })
}

fn has_case(text: &str, case: fn(char) -> bool) -> bool {
    text.chars().any(case) && text.chars().all(|c| case(c) || !is_cased(c))
}

fn swap_case(text: &str) -> String {
    let swap =
        |c: char| -> String { if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() } };
    text.chars().map(swap).collect()
}

/// Strips white space, or the characters given.
pub fn strip<'t>(text: &'t str, chars: Option<&Value>, name: &str) -> Result<&'t str, TemplateError> {
    let chars = match chars {
        None | Some(Value::None) => None,
        Some(chars) => Some(chars.as_str().ok_or_else(|| TemplateError::failed(format!("{name} wants a string")))?),
    };
    let is_stripped = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if name == "rstrip" { text } else { text.trim_start_matches(is_stripped) };
    Ok(if name == "lstrip" { text } else { text.trim_end_matches(is_stripped) })
}

/// A list of parts of `text`.
fn list_of(vm: &mut Vm, text: &Text, parts: &[&str]) -> Result<Value, TemplateError> {
    vm.limits.build(text.cost())?;
    let items = parts.iter().map(|part| Value::Str(text.part(part))).collect();
    Value::list(&mut vm.limits, items)
}

/// `split(sep=None, maxsplit=-1)` from either end. Without a separator, runs of white space separate.
fn split(vm: &mut Vm, text: &Text, from_right: bool, args: Args) -> Result<Value, TemplateError> {
    let [separator, most] = args.bind("split", ["sep", "maxsplit"])?;
    // Rust counts the parts, Python the cuts.
    let parts = usize::try_from(int(most, -1)?).map_or(usize::MAX, |most| most.saturating_add(1));
    let mut pieces: Vec<&str> = match separator {
        None | Some(Value::None) => split_at_space(text, parts, from_right),
        Some(separator) => {
            let separator = text_argument("split", Some(separator))?;
            if separator.is_empty() {
                return Err(TemplateError::failed("empty separator"));
            }
            if from_right {
                text.rsplitn(parts, &*separator).collect()
            } else {
                text.splitn(parts, &*separator).collect()
            }
        }
    };
    if from_right {
        pieces.reverse();
    }
    list_of(vm, text, &pieces)
}

/// At most `parts` words, from the chosen end on; the last holds the rest.
fn split_at_space(text: &str, parts: usize, from_right: bool) -> Vec<&str> {
    let mut pieces = Vec::new();
    let trim = |text: &'_ str| -> (usize, usize) {
        let start = if from_right { 0 } else { text.len() - text.trim_start_matches(is_space).len() };
        let end = if from_right { text.trim_end_matches(is_space).len() } else { text.len() };
        (start, end.max(start))
    };
    let (start, end) = trim(text);
    let mut rest = &text[start..end];
    while !rest.is_empty() {
        let cut = if from_right { rest.rsplit_once(is_space) } else { rest.split_once(is_space) };
        let Some((before, after)) = cut.filter(|_| pieces.len() + 1 < parts) else {
            pieces.push(rest);
            break;
        };
        let (word, remaining) = if from_right { (after, before) } else { (before, after) };
        pieces.push(word);
        let (start, end) = trim(remaining);
        rest = &remaining[start..end];
    }
    pieces
}

fn partition(vm: &mut Vm, text: &Text, from_right: bool, args: Args) -> Result<Value, TemplateError> {
    let [separator] = positional("partition", args)?;
    let separator = text_argument("partition", separator)?;
    if separator.is_empty() {
        return Err(TemplateError::failed("empty separator"));
    }
    let found = if from_right { text.rsplit_once(&*separator) } else { text.split_once(&*separator) };
    let parts = match found {
        Some((before, after)) => [text.part(before), separator, text.part(after)],
        None if from_right => [Text::own(""), Text::own(""), text.clone()],
        None => [text.clone(), Text::own(""), Text::own("")],
    };
    vm.limits.build(text.cost())?;
    Value::tuple(&mut vm.limits, parts.map(Value::Str).to_vec())
}

fn join(vm: &mut Vm, separator: &Text, args: Args) -> Result<Value, TemplateError> {
    let [items] = positional("join", args)?;
    let items = required("join", items)?.iterate(&mut vm.limits)?;
    let mut out = TextBuilder::default();
    for (at, item) in items.items.iter().enumerate() {
        let (Value::Str(item) | Value::Safe(item)) = item else {
            let message = format!("sequence item {at}: expected str instance, {} found", item.kind());
            return Err(TemplateError::failed(message));
        };
        vm.limits.build(separator.cost() + item.cost())?;
        if at > 0 {
            out.push_text(separator);
        }
        out.push_text(item);
    }
    Ok(Value::Str(out.finish()))
}

/// All occurrences, or the first `count`.
pub fn replace(vm: &mut Vm, text: &Text, old: &str, new: &Text, count: i128) -> Result<Value, TemplateError> {
    // Each occurrence costs more than its bytes, and there may be one a letter.
    vm.limits.step(text.len() / 4)?;
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    let found = text.matches(old).count().min(most);
    vm.limits.build(text.cost().saturating_add(found.saturating_mul(new.cost())))?;
    let mut out = TextBuilder::default();
    let mut done = 0;
    for (at, old) in text.match_indices(old).take(found) {
        out.push_part(text, &text[done..at]);
        out.push_text(new);
        done = at + old.len();
    }
    out.push_part(text, &text[done..]);
    Ok(Value::Str(out.finish()))
}

/// The part from one character to another, as slices count them, and where it begins; none behind the text's end.
fn part(text: &str, start: Option<Value>, end: Option<Value>) -> Result<Option<(usize, &str)>, TemplateError> {
    if start.is_none() && end.is_none() {
        return Ok(Some((0, text)));
    }
    let len = text.chars().count() as i128;
    let place = |bound: Option<Value>, default: i128| -> Result<usize, TemplateError> {
        let at = int(bound.filter(|bound| !matches!(bound, Value::None)), default)?;
        Ok(usize::try_from(if at < 0 { (at + len).max(0) } else { at }).unwrap_or(usize::MAX))
    };
    let (start, end) = (place(start, 0)?, place(end, len)?);
    if start > text.chars().count() {
        return Ok(None);
    }
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
    Ok(Some((start, text.get(byte(start)..byte(end)).unwrap_or(""))))
}

fn affix(text: &str, name: &str, args: Args) -> Result<Value, TemplateError> {
    let [affixes, start, end] = positional(name, args)?;
    let part = part(text, start, end)?.map(|(_, part)| part);
    let fits = |affix: &Value| {
        let kind = affix.kind();
        let wrong = || TemplateError::failed(format!("{name} first arg must be str or a tuple of str, not {kind}"));
        let affix = affix.as_str().ok_or_else(wrong)?;
        let fits = |part: &str| if name == "startswith" { part.starts_with(affix) } else { part.ends_with(affix) };
        Ok(part.is_some_and(fits))
    };
    match required(name, affixes)? {
        Value::Tuple(affixes) => {
            for affix in &affixes.items {
                if fits(affix)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        affix => fits(&affix).map(Value::Bool),
    }
}

fn find(text: &str, name: &str, args: Args) -> Result<Value, TemplateError> {
    let [wanted, start, end] = positional(name, args)?;
    let wanted = text_argument(name, wanted)?;
    let part = part(text, start, end)?;
    if name == "count" {
        return Ok(Value::Int(part.map_or(0, |(_, part)| part.matches(&*wanted).count()) as i128));
    }
    let found = part.and_then(|(offset, part)| {
        let at = if name.starts_with('r') { part.rfind(&*wanted) } else { part.find(&*wanted) };
        at.map(|at| offset + part[..at].chars().count())
    });
    match found {
        Some(at) => Ok(Value::Int(at as i128)),
        None if name.ends_with("index") => Err(TemplateError::failed("substring not found")),
        None => Ok(Value::Int(-1)),
    }
}

fn pad(vm: &mut Vm, text: &Text, name: &str, args: Args) -> Result<Value, TemplateError> {
    if name == "expandtabs" {
        let [size] = args.bind(name, ["tabsize"])?;
        return expand_tabs(vm, text, usize::try_from(int(size, 8)?).unwrap_or(0));
    }
    let (width, fill) = if name == "zfill" {
        let [width] = positional(name, args)?;
        (width, None)
    } else {
        let [width, fill] = positional(name, args)?;
        (width, fill)
    };
    let width = usize::try_from(int(Some(required(name, width)?), 0)?).unwrap_or(0);
    let fill = fill.map_or(Ok(Text::own(" ")), |fill| text_argument(name, Some(fill)))?;
    if fill.chars().nth(1).is_some() || fill.is_empty() {
        return Err(TemplateError::failed("the fill character must be exactly one character long"));
    }
    let missing = width.saturating_sub(text.chars().count());
    vm.limits.build(missing.saturating_mul(fill.len()).saturating_add(text.len()))?;
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    // Python puts the odd character on the left where the width is odd.
    let left = missing / 2 + (missing & width & 1);
    let (before, after) = match name {
        "ljust" => (0, missing),
        "rjust" => (missing, 0),
        "center" => (left, missing - left),
        _ => (0, 0),
    };
    let mut out = TextBuilder::default();
    (0..before).for_each(|_| out.push_text(&fill));
    if name == "zfill" {
        out.push_part(text, &text[..text.len() - unsigned.len()]);
        out.push_str(&"0".repeat(missing));
    }
    out.push_part(text, if name == "zfill" { unsigned } else { text });
    (0..after).for_each(|_| out.push_text(&fill));
    Ok(Value::Str(out.finish()))
}

fn expand_tabs(vm: &mut Vm, text: &Text, width: usize) -> Result<Value, TemplateError> {
    let mut out = String::new();
    let mut column = 0;
    for c in text.chars() {
        if c == '\t' {
            let spaces = if width == 0 { 0 } else { width - column % width };
            vm.limits.build(spaces)?;
            out.push_str(&" ".repeat(spaces));
            column += spaces;
        } else {
            out.push(c);
            column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
        }
    }
    Value::built(&mut vm.limits, text.derived(out))
}

/// The text of any value, for filters that take one.
pub fn of(vm: &mut Vm, value: &Value) -> Result<Text, TemplateError> {
    print::text(&mut vm.limits, value)
}
