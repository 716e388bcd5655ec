//! Python's format specification: `[[fill]align][sign][#][0][width][,][.precision][type]`.

use super::super::TemplateError;
use super::limits::Limits;
use super::print;
use super::provenance::{Text, TextBuilder};
use super::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
    Centre,
    /// Between the sign and the digits.
    Inner,
}

#[derive(Clone, Debug)]
pub struct Spec {
    pub fill: char,
    pub align: Option<Align>,
    /// `-` (only where needed), `+` or a space, if given.
    pub sign: Option<char>,
    pub alternate: bool,
    pub zero: bool,
    pub width: usize,
    pub grouping: Option<char>,
    pub precision: Option<usize>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            fill: ' ',
            align: None,
            sign: None,
            alternate: false,
            zero: false,
            width: 0,
            grouping: None,
            precision: None,
        }
    }
}

/// Most digits behind the point.
const MAX_PRECISION: usize = 400;

impl Spec {
    /// Reads a specification, with the type at its end if there is one.
    pub fn parse(text: &str) -> Result<(Self, Option<char>), TemplateError> {
        let mut spec = Self::default();
        let mut chars = text.chars().peekable();
        let mut ahead = text.chars();
        let (first, second) = (ahead.next(), ahead.next());
        if let Some(align) = second.and_then(align_of) {
            (spec.fill, spec.align) = (first.unwrap_or(' '), Some(align));
            chars.nth(1);
        } else if let Some(align) = first.and_then(align_of) {
            spec.align = Some(align);
            chars.next();
        }
        if let Some(sign) = chars.next_if(|c| matches!(c, '+' | '-' | ' ')) {
            spec.sign = Some(sign);
        }
        spec.alternate = chars.next_if_eq(&'#').is_some();
        spec.zero = chars.next_if_eq(&'0').is_some();
        let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            if digits.is_empty() { Ok(None) } else { digits.parse().map(Some).map_err(|_| TemplateError::TooMuchText) }
        };
        spec.width = number(&mut chars)?.unwrap_or(0);
        spec.grouping = chars.next_if(|c| matches!(c, ',' | '_'));
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = number(&mut chars)?;
        }
        let kind = chars.next();
        if chars.next().is_some() {
            return Err(TemplateError::failed(format!("invalid format specifier '{text}'")));
        }
        Ok((spec, kind))
    }

    /// A value as `format()` writes it.
    pub fn value(&self, limits: &mut Limits, value: &Value, kind: Option<char>) -> Result<Text, TemplateError> {
        let of = value.kind();
        let wrong = |what: &str| Err(TemplateError::failed(format!("the format of '{of}' takes no {what}")));
        let number = match (value, kind) {
            (Value::Int(_) | Value::Bool(_), None | Some('d' | 'n' | 'b' | 'o' | 'x' | 'X' | 'c')) => {
                if self.precision.is_some() {
                    return wrong("precision");
                }
                let number = value.as_int().unwrap_or(0);
                if kind != Some('c') {
                    self.whole(limits, number, kind.unwrap_or('d'))
                } else {
                    let letter = u32::try_from(number).ok().and_then(char::from_u32);
                    let letter = letter.ok_or_else(|| TemplateError::failed("%c arg not in range(0x110000)"))?;
                    self.pad(limits, "", &letter.to_string(), self.align.unwrap_or(Align::Left))
                }
            }
            (_, Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%'))) if value.as_float().is_some() => {
                self.floating(limits, value.as_float().unwrap_or(0.0), kind)
            }
            (Value::Float(number), Some('n')) => self.floating(limits, *number, 'g'),
            (Value::Float(number), None) if self.precision.is_some() => self.floating(limits, *number, 'g'),
            (Value::Float(number), None) => {
                let text = print::float(number.abs());
                self.number(limits, number.is_sign_negative(), "", &text)
            }
            (Value::Str(text) | Value::Safe(text), None | Some('s')) => {
                if self.sign.is_some() || self.alternate || self.grouping.is_some() || self.align == Some(Align::Inner)
                {
                    return wrong("sign, '#', grouping or '='");
                }
                return self.text(limits, text);
            }
            (_, Some(kind)) => {
                Err(TemplateError::failed(format!("unknown format code '{kind}' for object of type '{of}'")))
            }
            (_, None) => return wrong("specification"),
        };
        number.map(Text::own)
    }

    pub fn text(&self, limits: &mut Limits, text: &Text) -> Result<Text, TemplateError> {
        let cut = self.precision.and_then(|most| text.char_indices().nth(most)).map_or(text.len(), |(at, _)| at);
        let text = text.part(&text[..cut]);
        if self.width == 0 {
            return Ok(text);
        }
        let missing = self.width.saturating_sub(text.chars().count());
        limits.build(missing)?;
        let left = match self.align.unwrap_or(Align::Left) {
            Align::Left => 0,
            Align::Centre => missing / 2,
            Align::Right | Align::Inner => missing,
        };
        let mut out = TextBuilder::default();
        out.push_str(&self.fill.to_string().repeat(left));
        out.push_text(&text);
        out.push_str(&self.fill.to_string().repeat(missing - left));
        Ok(out.finish())
    }

    /// A whole number in the base that `kind` names.
    pub fn whole(&self, limits: &mut Limits, number: i128, kind: char) -> Result<String, TemplateError> {
        let size = number.unsigned_abs();
        let (prefix, digits) = match kind {
            'b' => ("0b", format!("{size:b}")),
            'o' => ("0o", format!("{size:o}")),
            'x' => ("0x", format!("{size:x}")),
            'X' => ("0X", format!("{size:X}")),
            _ => ("", size.to_string()),
        };
        self.number(limits, number < 0, if self.alternate { prefix } else { "" }, &digits)
    }

    pub fn floating(&self, limits: &mut Limits, number: f64, kind: char) -> Result<String, TemplateError> {
        let precision = self.precision.unwrap_or(6);
        if precision > MAX_PRECISION {
            return Err(TemplateError::TooMuchText);
        }
        let size = number.abs();
        let mut digits = match kind.to_ascii_lowercase() {
            _ if !number.is_finite() => print::float(size) + if kind == '%' { "%" } else { "" },
            'f' => format!("{size:.precision$}"),
            '%' => format!("{:.precision$}%", size * 100.0),
            'e' => exponential(size, precision),
            _ => general(size, precision.max(1)),
        };
        if kind.is_ascii_uppercase() {
            digits = digits.to_uppercase();
        }
        self.number(limits, number.is_sign_negative() && !number.is_nan(), "", &digits)
    }

    fn number(&self, limits: &mut Limits, negative: bool, prefix: &str, digits: &str) -> Result<String, TemplateError> {
        let digits = match self.grouping {
            Some(separator) => group(digits, separator),
            None => digits.to_owned(),
        };
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        };
        let default = if self.zero { Align::Inner } else { Align::Right };
        let align = match self.align {
            // For `%05d`, right is the rule and zeros still stand between.
            Some(Align::Right) | None if self.zero => Align::Inner,
            align => align.unwrap_or(default),
        };
        self.pad(limits, &format!("{sign}{prefix}"), &digits, align)
    }

    fn pad(&self, limits: &mut Limits, sign: &str, text: &str, align: Align) -> Result<String, TemplateError> {
        let missing = self.width.saturating_sub(sign.chars().count() + text.chars().count());
        limits.build(missing)?;
        let fill = if self.zero && align == Align::Inner { '0' } else { self.fill };
        let padding = |count: usize| fill.to_string().repeat(count);
        Ok(match align {
            Align::Left => format!("{sign}{text}{}", padding(missing)),
            Align::Right => format!("{}{sign}{text}", padding(missing)),
            Align::Centre => format!("{}{sign}{text}{}", padding(missing / 2), padding(missing - missing / 2)),
            Align::Inner => format!("{sign}{}{text}", padding(missing)),
        })
    }
}

fn align_of(c: char) -> Option<Align> {
    match c {
        '<' => Some(Align::Left),
        '>' => Some(Align::Right),
        '^' => Some(Align::Centre),
        '=' => Some(Align::Inner),
        _ => None,
    }
}

/// Digits before the point in groups of three.
fn group(digits: &str, separator: char) -> String {
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let mut out = String::new();
    for (at, c) in digits[..end].chars().enumerate() {
        if at > 0 && (end - at) % 3 == 0 {
            out.push(separator);
        }
        out.push(c);
    }
    out + &digits[end..]
}

/// With an exponent of at least two digits.
fn exponential(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// The shorter of the two ways, without zeros at the end.
fn general(number: f64, precision: usize) -> String {
    let text = exponential(number, precision - 1);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let shorten = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    match exponent.parse::<i32>() {
        Ok(exponent) if (-4..precision as i32).contains(&exponent) => {
            let behind = usize::try_from(precision as i32 - 1 - exponent).unwrap_or(0);
            shorten(&format!("{number:.behind$}"))
        }
        _ => format!("{}e{exponent}", shorten(digits)),
    }
}
