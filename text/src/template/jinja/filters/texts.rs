//! Filters that make text.

use super::super::super::TemplateError;
use super::super::super::json::{JsonStyle, to_json as write_json};
use super::super::arguments::{self, Args, flag, required};
use super::super::escape as html;
use super::super::eval::Vm;
use super::super::provenance::{Text, TextBuilder};
use super::super::strings;
use super::super::text::{self, lines};
use super::super::value::{Value, View};
use super::super::{format as formatting, print};

/// A filter of a text alone.
fn change(
    vm: &mut Vm,
    value: &Value,
    of: &str,
    args: Args,
    change: impl FnOnce(&str) -> String,
) -> Result<Value, TemplateError> {
    let [] = args.bind(of, [])?;
    let text = strings::of(vm, value)?;
    Value::built(&mut vm.limits, text.derived(change(&text)))
}

pub fn upper(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    change(vm, &value, "upper", args, str::to_uppercase)
}

pub fn lower(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    change(vm, &value, "lower", args, str::to_lowercase)
}

pub fn capitalize(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    change(vm, &value, "capitalize", args, text::capitalize)
}

pub fn title(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    change(vm, &value, "title", args, text::title_words)
}

pub fn strip_tags(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    change(vm, &value, "striptags", args, html::strip_tags)
}

pub fn string(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("string", [])?;
    match value {
        Value::Str(_) | Value::Safe(_) => Ok(value),
        _ => strings::of(vm, &value).map(Value::Str),
    }
}

pub fn safe(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("safe", [])?;
    strings::of(vm, &value).map(Value::Safe)
}

pub fn escape(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    if matches!(value, Value::Safe(_)) {
        let [] = args.bind("escape", [])?;
        return Ok(value);
    }
    force_escape(vm, value, args)
}

pub fn force_escape(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("escape", [])?;
    let text = strings::of(vm, &value)?;
    Ok(Value::Safe(html::escape(&mut vm.limits, &text)?))
}

pub fn url_encode(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("urlencode", [])?;
    if value.as_str().is_some() || !value.is_iterable() {
        let text = strings::of(vm, &value)?;
        return Value::built(&mut vm.limits, text.derived(html::percent_encode(&text)));
    }
    let pairs = match &value {
        Value::Dict(dict) => Value::View(View::Items, dict.clone()).iterate(&mut vm.limits)?,
        _ => value.iterate(&mut vm.limits)?,
    };
    let mut out = TextBuilder::default();
    let encode = |text: Text| text.derived(html::percent_encode(&text).replace('/', "%2F").replace("%20", "+"));
    for (at, pair) in pairs.items.iter().enumerate() {
        let pair = pair.iterate(&mut vm.limits)?;
        let [key, value] = &pair.items[..] else { return Err(TemplateError::failed("urlencode wants pairs")) };
        let (key, value) = (strings::of(vm, key)?, strings::of(vm, value)?);
        out.push_str(if at == 0 { "" } else { "&" });
        out.push_text(&encode(key));
        out.push_str("=");
        out.push_text(&encode(value));
    }
    out.built(&mut vm.limits).map(Value::Str)
}

pub fn word_count(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("wordcount", [])?;
    let text = strings::of(vm, &value)?;
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    Ok(Value::Int(words.count() as i128))
}

/// `trim(chars=none)`
pub fn trim(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [chars] = args.bind("trim", ["chars"])?;
    let text = strings::of(vm, &value)?;
    let stripped = strings::strip(&text, chars.as_ref(), "trim")?;
    Value::built(&mut vm.limits, text.part(stripped))
}

/// `replace(old, new, count=none)`
pub fn replace(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [old, new, count] = args.bind("replace", ["old", "new", "count"])?;
    let text = strings::of(vm, &value)?;
    let old = strings::of(vm, &required("replace", old)?)?;
    let new = strings::of(vm, &required("replace", new)?)?;
    let count = arguments::int(count.filter(|count| !matches!(count, Value::None)), -1)?;
    strings::replace(vm, &text, &old, &new, count)
}

/// printf-style formatting, by place or by name.
pub fn format(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let pattern = strings::of(vm, &value)?;
    if !args.named.is_empty() && !args.positional.is_empty() {
        return Err(TemplateError::failed("format takes values by place or by name, not both"));
    }
    let values = if args.named.is_empty() {
        Value::tuple(&mut vm.limits, args.positional)?
    } else {
        let pairs = args.named.into_iter().map(|(name, value)| (Value::Str(name), value)).collect();
        Value::Dict(std::rc::Rc::new(vm.limits.dict(pairs)?))
    };
    formatting::percent(&mut vm.limits, &pattern, &values)
}

/// `center(width=80)`
pub fn center(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [width] = args.bind("center", ["width"])?;
    let text = strings::of(vm, &value)?;
    let width = Args { positional: vec![width.unwrap_or(Value::Int(80))], named: Vec::new() };
    strings::call(vm, &text, "center", width)
}

/// `truncate(length=255, killwords=false, end='...', leeway=5)`
pub fn truncate(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [length, kill_words, end, leeway] = args.bind("truncate", ["length", "killwords", "end", "leeway"])?;
    let end = end.map_or(Ok(Text::own("...")), |end| strings::of(vm, &end))?;
    let leeway = leeway.filter(|leeway| !matches!(leeway, Value::None));
    let (length, leeway) = (arguments::int(length, 255)?, arguments::int(leeway, 5)?);
    if leeway < 0 || length < end.chars().count() as i128 {
        return Err(TemplateError::failed(
            "truncate: the length is less than that of the end, or the leeway less than 0",
        ));
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let len = value.len(&mut vm.limits)?.unwrap_or(usize::MAX);
    if len <= length.saturating_add(usize::try_from(leeway).unwrap_or(usize::MAX)) {
        return Ok(value);
    }
    let (Value::Str(text) | Value::Safe(text)) = value else {
        return Err(TemplateError::failed(format!("truncate wants a string, not {}", value.kind())));
    };
    let kept = length.saturating_sub(end.chars().count());
    let cut = &text[..text.char_indices().nth(kept).map_or(text.len(), |(at, _)| at)];
    let cut = if flag(kill_words) { cut } else { cut.rsplit_once(' ').map_or(cut, |(words, _)| words) };
    let mut out = TextBuilder::default();
    out.push_part(&text, cut);
    out.push_text(&end);
    out.built(&mut vm.limits).map(Value::Str)
}

/// `indent(width=4, first=false, blank=false)`; the width may be the text itself.
pub fn indent(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [width, first, blank] = args.bind("indent", ["width", "first", "blank"])?;
    let (first, blank) = (flag(first), flag(blank));
    let (Value::Str(text) | Value::Safe(text)) = &value else {
        return Err(TemplateError::failed(format!("indent wants a string, not {}", value.kind())));
    };
    let indent = indentation(vm, width.unwrap_or(Value::Int(4)))?;
    let mut lines = lines(text, false);
    // jinja2 puts a line break behind the text first, so that one at its end counts.
    if text.is_empty() || text.ends_with(text::is_line_break) {
        lines.push("");
    }
    vm.limits.build(text.cost().saturating_add(lines.len().saturating_mul(indent.cost() + 1)))?;
    let mut out = TextBuilder::default();
    for (at, line) in lines.into_iter().enumerate() {
        let indented = if at == 0 { first } else { blank || !line.is_empty() };
        out.push_str(if at > 0 { "\n" } else { "" });
        if indented {
            out.push_text(&indent);
        }
        out.push_part(text, line);
    }
    Ok(if matches!(value, Value::Safe(_)) { Value::Safe(out.finish()) } else { Value::Str(out.finish()) })
}

/// A number of spaces, or the text itself.
fn indentation(vm: &mut Vm, width: Value) -> Result<Text, TemplateError> {
    if let Value::Str(text) | Value::Safe(text) = width {
        return Ok(text);
    }
    let width = usize::try_from(arguments::int(Some(width), 0)?).unwrap_or(0);
    vm.limits.build(width)?;
    Ok(Text::own(" ".repeat(width)))
}

/// `tojson(ensure_ascii=false, indent=none, separators=none, sort_keys=false)`: `json.dumps`, with no escaping of HTML.
pub fn to_json(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [ensure_ascii, indent, separators, sort_keys] =
        args.bind("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"])?;
    let given = |value: Option<Value>| value.filter(|value| !matches!(value, Value::None));
    let separators = match given(separators) {
        Some(pair) => match &pair.iterate(&mut vm.limits)?.items[..] {
            [item, key] => Some((print::text(&mut vm.limits, item)?, print::text(&mut vm.limits, key)?)),
            _ => return Err(TemplateError::failed("tojson: separators must be a pair")),
        },
        None => None,
    };
    let style = JsonStyle {
        ensure_ascii: flag(ensure_ascii),
        sort_keys: flag(sort_keys),
        indent: given(indent).map(|indent| indentation(vm, indent)).transpose()?,
        separators,
    };
    let text = write_json(&mut vm.limits, &value, &style)?;
    Ok(Value::Str(text))
}
