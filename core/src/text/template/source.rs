//! Makes a template's source one that the engine takes, and that it survives: its parser and compiler recurse once for each
//! operator of a chain and each `elif`, without a bound of their own, and work out constant expressions, whatever their size.

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::TemplateError;

/// Most tokens between one tag's braces. Public templates stay below 200.
const MAX_TAG: usize = 1000;

/// Most `elif`s in a template. Public templates stay below 50.
const MAX_ELIFS: usize = 200;

/// The source as the engine is given it.
///
/// # Errors
/// [`TemplateError::TooComplex`], and [`TemplateError::Syntax`] for what is no token.
pub(super) fn prepare(source: &str, syntax: &SyntaxConfig) -> Result<String, TemplateError> {
    // Line breaks as jinja2 reads them.
    let source = rewrite_generation_tags(&source.replace("\r\n", "\n").replace('\r', "\n"));
    let mut prepared = String::with_capacity(source.len());
    let (mut copied, mut tag, mut elifs) = (0, 0, 0);
    let mut begins_value = false;
    for token in tokenize(&source, false, syntax.clone()) {
        let (token, span) = token.map_err(|error| TemplateError::from_engine(&error))?;
        tag = if matches!(token, Token::VariableStart | Token::BlockStart) { 0 } else { tag + 1 };
        elifs += usize::from(tag == 1 && matches!(token, Token::Ident("elif")));
        if tag > MAX_TAG || elifs > MAX_ELIFS {
            return Err(TemplateError::TooComplex(span.start_line.into()));
        }
        if matches!(token, Token::Mul) && !begins_value {
            // Times one, in a way that the compiler cannot work out: the product is built, and counted, when it is needed.
            let end = span.end_offset as usize;
            prepared.push_str(source.get(copied..end).unwrap_or_default());
            prepared.push_str("(1|int)*");
            copied = end;
        }
        begins_value = matches!(token, Token::ParenOpen | Token::BracketOpen | Token::BraceOpen | Token::Comma);
    }
    prepared.push_str(source.get(copied..).unwrap_or_default());
    Ok(prepared)
}

/// Replaces transformers' `{% generation %}…{% endgeneration %}`, which marks what the assistant wrote and renders its
/// content unchanged, by `{% with %}…{% endwith %}`, which does the same: both open a scope.
fn rewrite_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let inside = tag[2..].find("%}").map_or("", |end| &tag[2..2 + end]);
        let name = inside.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim();
        let new_name = match name {
            "generation" => "with",
            "endgeneration" => "endwith",
            _ => {
                out.push_str("{%");
                rest = &tag[2..];
                continue;
            }
        };
        out.push_str("{%");
        out.push_str(&inside.replacen(name, new_name, 1));
        out.push_str("%}");
        rest = &tag[2 + inside.len() + 2..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_line_breaks_become_one_kind() {
        assert_eq!(prepared("a\r\nb\rc\nd").unwrap(), "a\nb\nc\nd");
    }

    fn prepared(source: &str) -> Result<String, TemplateError> {
        prepare(source, &SyntaxConfig::default())
    }

    #[test]
    fn products_are_not_constant_and_arguments_stay() {
        assert_eq!(prepared("*{{ 'a*' * 9 }}{{ f(*x, *y) }}").unwrap(), "*{{ 'a*' *(1|int)* 9 }}{{ f(*x, *y) }}");
    }

    #[test]
    fn chains_have_an_end() {
        let chain = |n| format!("\n{{{{ 1{} }}}}", "+1".repeat(n));
        assert!(prepared(&chain(400)).is_ok());
        assert_eq!(prepared(&chain(100_000)), Err(TemplateError::TooComplex(2)));
        let elifs = |n| format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(n));
        assert!(prepared(&elifs(100)).is_ok());
        assert_eq!(prepared(&elifs(50_000)), Err(TemplateError::TooComplex(1)));
    }

    #[test]
    fn generation_tags_keep_their_white_space_marks() {
        let source = "{%- generation -%} a {% endgeneration+%}{% set generation = 1 %}{% generation";
        let wanted = "{%- with -%} a {% endwith+%}{% set generation = 1 %}{% generation";
        assert_eq!(rewrite_generation_tags(source), wanted);
    }
}
