//! Look-ahead at the beginning of an expression, rewritten as expressions that must all hold: `^(?=.*[0-9])(?!\.)[a-z.]+$` asks for a
//! digit, for no point in front, and for `^[a-z.]+$`. What is refused by `(?!…)` must be a few characters in a row.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind};

/// Most characters in a row that a negative look-ahead refuses.
const MAX_LENGTH: usize = 32;

/// Any text, to the end.
const REST: &str = r"[\s\S]*";

/// The expressions in Rust's syntax that together say what `rust` says, which has look-ahead; `None` where it is not of this form.
pub fn parts(rust: &str) -> Option<Vec<String>> {
    let mut rest = rust.strip_prefix('^')?;
    let mut parts = Vec::new();
    while let Some(inside) = rest.strip_prefix("(?=").or(rest.strip_prefix("(?!")) {
        let end = group(inside)?;
        let ahead = &inside[..end];
        if rest.starts_with("(?=") {
            parts.push(format!("^(?:{ahead})"));
        } else {
            parts.extend(refused(ahead)?);
        }
        rest = &inside[end + 1..];
    }
    // An alternative would have the look-ahead in front of its first case alone.
    if group(rest).is_some() || has_bar(rest) {
        return None;
    }
    parts.insert(0, format!("^{rest}"));
    Some(parts)
}

/// Where the parenthesis that closes a group stands.
fn group(text: &str) -> Option<usize> {
    outside(text).find(|&(_, c, depth)| c == ')' && depth == 0).map(|(at, ..)| at)
}

fn has_bar(text: &str) -> bool {
    outside(text).any(|(_, c, depth)| c == '|' && depth == 0)
}

/// The characters of an expression outside of classes and escapes, each with the number of open groups around it.
fn outside(text: &str) -> impl Iterator<Item = (usize, char, usize)> {
    let (mut escaped, mut class, mut depth) = (false, 0usize, 0usize);
    text.char_indices().filter_map(move |(at, c)| {
        if escaped {
            escaped = false;
            return None;
        }
        match c {
            '\\' => escaped = true,
            '[' => class += 1,
            ']' => class = class.saturating_sub(1),
            _ if class > 0 => {}
            '(' => {
                depth += 1;
                return Some((at, c, depth - 1));
            }
            ')' => {
                let closes = depth;
                depth = depth.saturating_sub(1);
                // What closes no group of this text has none open around it.
                return (closes == 0).then_some((at, c, 0));
            }
            _ => return Some((at, c, depth)),
        }
        None
    })
}

/// What says that a text does not go on so.
fn refused(ahead: &str) -> Option<Vec<String>> {
    let (anywhere, ahead) = match ahead.strip_prefix(".*").or(ahead.strip_prefix(r"[^\n\r\u{2028}\u{2029}]*")) {
        Some(ahead) => (true, ahead),
        None => (false, ahead),
    };
    let hir = regex_syntax::parse(ahead).ok()?;
    let alternatives = match hir.kind() {
        HirKind::Alternation(alternatives) => alternatives.as_slice(),
        _ => std::slice::from_ref(&hir),
    };
    alternatives
        .iter()
        .map(|alternative| {
            let mut row = Vec::new();
            characters(alternative, &mut row)?;
            if anywhere { not_anywhere(&row) } else { Some(not_in_front(&row)) }
        })
        .collect()
}

/// An expression that is some characters in a row.
fn characters(hir: &Hir, row: &mut Vec<ClassUnicode>) -> Option<()> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            row.extend(text.chars().map(|c| ClassUnicode::new([ClassUnicodeRange::new(c, c)])));
        }
        HirKind::Class(Class::Unicode(class)) => row.push(class.clone()),
        HirKind::Capture(capture) => characters(&capture.sub, row)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| characters(part, row))?,
        _ => return None,
    }
    (1..=MAX_LENGTH).contains(&row.len()).then_some(())
}

fn written(class: &ClassUnicode) -> String {
    Hir::class(Class::Unicode(class.clone())).to_string()
}

fn other(class: &ClassUnicode) -> String {
    let mut other = class.clone();
    other.negate();
    written(&other)
}

fn not_in_front(row: &[ClassUnicode]) -> String {
    let behind = row.iter().rev().fold(String::new(), |behind, class| {
        let on = if behind.is_empty() { String::new() } else { format!("|{}{behind}", written(class)) };
        format!("(?:{}{REST}{on})?", other(class))
    });
    format!("^{behind}$")
}

fn not_anywhere(row: &[ClassUnicode]) -> Option<String> {
    match row {
        [only] => Some(format!("^{}*$", other(only))),
        [first, second] if first == second => Some(format!("^(?:{0}?{1})*{0}?$", written(first), other(first))),
        [first, second] => {
            let mut both = first.clone();
            both.intersect(second);
            let mut either = first.clone();
            either.union(second);
            let (one, no, neither) = (written(first), other(first), other(&either));
            both.ranges().is_empty().then(|| format!("^(?:{no}|{one}+{neither})*{one}*$"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether all parts of an expression find something in a text.
    fn finds(pattern: &str, text: &str) -> bool {
        parts(pattern).unwrap().iter().all(|part| regex::Regex::new(part).unwrap().is_match(text))
    }

    #[test]
    fn look_ahead_in_front_is_rewritten_where_that_is_equal() {
        for (pattern, good, bad) in [
            (r"^(?=.*[A-Z])(?=.*[0-9]).{4,}$", &["Abc1", "1bcD"][..], &["abc1", "ABCD", "A1"][..]),
            (r"^(?!\.)[a-z.]+$", &["a.", "a"], &[".a"]),
            (r"^(?!.*\.\.)[a-z.]+$", &["a.b", ".a.", "."], &["a..b", "..", "a..."]),
            (r"^(?!.*ab)[abc]*$", &["", "ba", "acb", "aacbb"], &["ab", "cab", "aab"]),
            (r"^(?!admin|root)[a-z]+$", &["user", "adm", "roo", "radmin"], &["admin", "roots"]),
            (r"^(?!.*[0-9])[a-z0-9]+$", &["abc"], &["a1"]),
            (r"^(?!ab)(?=a)[a-c]+$", &["ac", "a"], &["ab", "b", "abc"]),
        ] {
            assert!(good.iter().all(|text| finds(pattern, text)), "{pattern}");
            assert!(!bad.iter().any(|text| finds(pattern, text)), "{pattern}");
        }
    }

    #[test]
    fn other_look_around_is_left_to_be_refused() {
        for pattern in
            [r"(?=a)b", r"^a(?=b)", r"^(?=a)a|b", r"^(?!a*)b", r"^(?!.*abc)a", r"^(?!a$)a", r"^(?=a", "^(?!.*[ab]b)a"]
        {
            let left = parts(pattern).is_none_or(|parts| parts.iter().any(|part| regex::Regex::new(part).is_err()));
            assert!(left, "{pattern}");
        }
    }
}
