//! Python's two ways of formatting: `'%s' % value` and `'{}'.format(value)`.

use super::super::TemplateError;
use super::access;
use super::limits::Limits;
use super::print;
use super::provenance::{Text, TextBuilder};
use super::spec::{Align, Spec};
use super::value::Value;

/// `pattern % arguments`.
pub fn percent(limits: &mut Limits, pattern: &Text, arguments: &Value) -> Result<Value, TemplateError> {
    let single = [arguments.clone()];
    let items = match arguments {
        Value::Tuple(tuple) => &tuple.items[..],
        _ => &single,
    };
    let mut next = items.iter();
    let mut out = TextBuilder::default();
    let mut rest: &str = pattern;
    while let Some(at) = rest.find('%') {
        out.push_part(pattern, &rest[..at]);
        let directive = Directive::read(limits, &rest[at + 1..], &mut next)?;
        let sign = &rest[at..at + 1];
        rest = directive.rest;
        if directive.kind == '%' {
            out.push_part(pattern, sign);
            continue;
        }
        let value = match directive.key {
            Some(key) => match arguments {
                Value::Dict(dict) => {
                    dict.get_text(key).ok_or_else(|| TemplateError::failed(format!("no key '{key}'")))?
                }
                _ => return Err(TemplateError::failed("format requires a mapping")),
            },
            None => next.next().ok_or_else(|| TemplateError::failed("not enough arguments for format string"))?,
        };
        let text = directive.format(limits, value)?;
        out.push_text(&text);
    }
    out.push_part(pattern, rest);
    // Python asks that all are used, but not of what has items.
    let has_items = matches!(arguments, Value::Dict(_) | Value::List(_) | Value::Range(_) | Value::Undefined(_));
    let all_used = next.len() == 0 || has_items;
    if !all_used {
        return Err(TemplateError::failed("not all arguments converted during string formatting"));
    }
    out.built(limits).map(Value::Str)
}

/// One `%…`.
struct Directive<'a> {
    key: Option<&'a str>,
    spec: Spec,
    kind: char,
    rest: &'a str,
}

impl<'a> Directive<'a> {
    fn read<'v>(
        limits: &mut Limits,
        text: &'a str,
        arguments: &mut impl Iterator<Item = &'v Value>,
    ) -> Result<Self, TemplateError> {
        let incomplete = || TemplateError::failed("incomplete format");
        let mut rest = text;
        let mut key = None;
        if let Some(named) = rest.strip_prefix('(') {
            let (name, after) = named.split_once(')').ok_or_else(incomplete)?;
            (key, rest) = (Some(name), after);
        }
        let flags = rest.trim_start_matches(['-', '+', ' ', '0', '#']);
        let has = |flag: char| rest[..rest.len() - flags.len()].contains(flag);
        let mut spec = Spec { align: Some(if has('-') { Align::Left } else { Align::Right }), ..Spec::default() };
        spec.zero = has('0') && !has('-');
        spec.alternate = has('#');
        spec.sign = ['+', ' '].into_iter().find(|sign| has(*sign));
        rest = flags;
        let mut star_or_number = |rest: &mut &'a str| -> Result<usize, TemplateError> {
            let Some(after) = rest.strip_prefix('*') else {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let number = if end == 0 { Ok(0) } else { rest[..end].parse() };
                *rest = &rest[end..];
                return number.map_err(|_| TemplateError::TooMuchText);
            };
            *rest = after;
            let given = arguments.next().and_then(Value::as_int);
            given.and_then(|given| usize::try_from(given).ok()).ok_or_else(|| TemplateError::failed("* wants a number"))
        };
        spec.width = star_or_number(&mut rest)?;
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            spec.precision = Some(star_or_number(&mut rest)?);
        }
        limits.build(spec.width)?;
        let kind = rest.chars().next().ok_or_else(incomplete)?;
        Ok(Self { key, spec, kind, rest: &rest[kind.len_utf8()..] })
    }

    fn format(&self, limits: &mut Limits, value: &Value) -> Result<Text, TemplateError> {
        let wants_number = || {
            let kind = value.kind();
            TemplateError::failed(format!("%{} format: a number is required, not {kind}", self.kind))
        };
        let number = match self.kind {
            's' => {
                let text = print::text(limits, value)?;
                return self.spec.text(limits, &text);
            }
            'r' | 'a' => {
                let text = repr(limits, value, self.kind == 'a')?;
                return self.spec.text(limits, &text);
            }
            'c' => {
                if let Value::Str(text) | Value::Safe(text) = value
                    && text.chars().count() == 1
                {
                    return self.spec.text(limits, text);
                }
                let c = value.as_int().and_then(|code| char::from_u32(u32::try_from(code).ok()?));
                return self.spec.text(limits, &Text::own(c.ok_or_else(wants_number)?.to_string()));
            }
            'd' | 'i' | 'u' => {
                let number = match value {
                    Value::Float(number) if number.is_finite() => *number as i128,
                    _ => value.as_int().ok_or_else(wants_number)?,
                };
                self.spec.whole(limits, number, 'd')
            }
            'o' | 'x' | 'X' => self.spec.whole(limits, value.as_int().ok_or_else(wants_number)?, self.kind),
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                self.spec.floating(limits, value.as_float().ok_or_else(wants_number)?, self.kind)
            }
            kind => Err(TemplateError::failed(format!("unsupported format character '{kind}'"))),
        };
        number.map(Text::own)
    }
}

/// `repr(value)`, or `ascii(value)`.
fn repr(limits: &mut Limits, value: &Value, ascii: bool) -> Result<Text, TemplateError> {
    let text = print::repr(limits, value)?;
    if !ascii || text.is_ascii() {
        return Ok(text);
    }
    let mut out = String::new();
    for c in text.chars() {
        match u32::from(c) {
            ..0x80 => out.push(c),
            code @ ..0x100 => out.push_str(&format!("\\x{code:02x}")),
            code @ ..0x1_0000 => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    Ok(text.derived(out))
}

/// `pattern.format(*positional, **named)`.
pub fn braces(
    limits: &mut Limits,
    pattern: &Text,
    positional: &[Value],
    named: &[(Text, Value)],
) -> Result<Value, TemplateError> {
    let mut fields = Fields { positional, named, next: 0, by_number: false };
    let text = fields.fill(limits, pattern, pattern, 0)?;
    Value::built(limits, text)
}

struct Fields<'a> {
    positional: &'a [Value],
    named: &'a [(Text, Value)],
    /// The next field without a name.
    next: usize,
    /// Whether a field has a number, after which none may go without.
    by_number: bool,
}

impl Fields<'_> {
    /// Fills the fields of `part`, which is a part of `pattern`.
    fn fill(&mut self, limits: &mut Limits, pattern: &Text, part: &str, level: usize) -> Result<Text, TemplateError> {
        let mut out = TextBuilder::default();
        let mut rest = part;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_part(pattern, &rest[..at]);
            let brace = &rest[at..at + 1];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                out.push_part(pattern, brace);
                rest = after;
                continue;
            }
            if brace == "}" || level > 1 {
                return Err(TemplateError::failed("a single brace in a format string"));
            }
            let end = field_end(rest).ok_or_else(|| TemplateError::failed("a format field has no end"))?;
            let text = self.field(limits, pattern, &rest[..end], level)?;
            out.push_text(&text);
            limits.build(text.cost())?;
            rest = &rest[end + 1..];
        }
        out.push_part(pattern, rest);
        Ok(out.finish())
    }

    /// `name!conversion:spec`
    fn field(&mut self, limits: &mut Limits, pattern: &Text, field: &str, level: usize) -> Result<Text, TemplateError> {
        let (field, spec) = field.split_once(':').unwrap_or((field, ""));
        let (name, conversion) = field.split_once('!').map_or((field, None), |(name, kind)| (name, Some(kind)));
        let value = self.value(limits, name)?;
        let spec =
            if spec.contains('{') { self.fill(limits, pattern, spec, level + 1)?.to_string() } else { spec.to_owned() };
        let is_plain = spec.is_empty();
        let (spec, kind) = Spec::parse(&spec)?;
        limits.build(spec.width)?;
        match conversion {
            None if is_plain => print::text(limits, &value),
            None => spec.value(limits, &value, kind),
            Some("s") => {
                let text = print::text(limits, &value)?;
                spec.text(limits, &text)
            }
            Some(kind @ ("r" | "a")) => {
                let text = repr(limits, &value, kind == "a")?;
                spec.text(limits, &text)
            }
            Some(_) => Err(TemplateError::failed("an unknown conversion in a format string")),
        }
    }

    /// A field's value: `0`, `name`, `name.attribute`, `name[item]`.
    fn value(&mut self, limits: &mut Limits, name: &str) -> Result<Value, TemplateError> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut rest) = name.split_at(end);
        let missing = || TemplateError::failed(format!("the format field '{first}' is not given"));
        if (first.is_empty() && self.by_number) || (self.next > 0 && first.parse::<usize>().is_ok()) {
            return Err(TemplateError::failed("format fields have numbers, or none has one"));
        }
        let mut value = if first.is_empty() {
            self.next += 1;
            self.positional.get(self.next - 1).cloned().ok_or_else(missing)?
        } else if let Ok(at) = first.parse::<usize>() {
            self.by_number = true;
            self.positional.get(at).cloned().ok_or_else(missing)?
        } else {
            let found = self.named.iter().find(|(name, _)| **name == *first);
            found.map(|(_, value)| value.clone()).ok_or_else(missing)?
        };
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let (item, after) = after.split_once(']').ok_or_else(|| TemplateError::failed("a field has no ']'"))?;
                let key = item.parse().map_or_else(|_| Value::text(item), Value::Int);
                value = access::item(limits, &value, &key)?;
                rest = after;
            } else {
                let after = &rest[1..];
                let end = after.find(['.', '[']).unwrap_or(after.len());
                value = access::attribute(limits, &value, &after[..end].into())?;
                rest = &after[end..];
            }
        }
        Ok(value)
    }
}

/// Where the brace is that ends a field, past those within it.
fn field_end(text: &str) -> Option<usize> {
    let mut level = 0;
    text.char_indices().find_map(|(at, c)| match c {
        '{' => {
            level += 1;
            None
        }
        '}' if level == 0 => Some(at),
        '}' => {
            level -= 1;
            None
        }
        _ => None,
    })
}
