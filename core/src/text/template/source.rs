//! Makes a template's source one that the engine takes.

/// The source as the engine is given it: line breaks as jinja2 reads them, and no tags that it does not know.
pub(super) fn prepare(source: &str) -> String {
    rewrite_generation_tags(&source.replace("\r\n", "\n").replace('\r', "\n"))
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
        assert_eq!(prepare("a\r\nb\rc\nd"), "a\nb\nc\nd");
    }

    #[test]
    fn generation_tags_keep_their_white_space_marks() {
        let source = "{%- generation -%} a {% endgeneration+%}{% set generation = 1 %}{% generation";
        let wanted = "{%- with -%} a {% endwith+%}{% set generation = 1 %}{% generation";
        assert_eq!(rewrite_generation_tags(source), wanted);
    }
}
