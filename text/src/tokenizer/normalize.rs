//! Normalizers: what happens to a text before it is split.

use unicode_segmentation::UnicodeSegmentation;

use super::aligned::{Aligned, Rewriter};
use super::charsmap::Charsmap;
use super::decoding::Decoding;
use super::normal_forms::Form;
use super::pattern::Finder;
use super::trie::Trie;

/// One step.
#[derive(Debug)]
pub(super) enum Step {
    /// One of Unicode's normal forms.
    Form(Form),
    /// Every character in lower case.
    Lowercase,
    /// A string in front, unless the text is empty.
    Prepend(String),
    /// White space off the ends.
    Strip {
        /// Off the beginning.
        left: bool,
        /// Off the end.
        right: bool,
    },
    /// A string in place of everything that is found.
    Replace(Finder, String),
    /// A space on either side of everything that is found.
    Surround(Finder),
    /// SentencePiece's character map as HF's tokenizers apply it: by grapheme, then by character.
    Graphemes(Charsmap),
    /// SentencePiece's whole normalizer.
    SentencePiece(SentencePiece),
}

/// How SentencePiece prepares a text. Spaces stay spaces: the marks that stand for them in files ("▁") become spaces instead.
#[derive(Debug, Default)]
pub(super) struct SentencePiece {
    /// What characters become.
    pub charsmap: Option<Charsmap>,
    /// Pieces that the map must not touch.
    pub protected: Trie,
    /// Whether a space is put in front.
    pub add_prefix: bool,
    /// Whether spaces at the ends, and all but one of a run, are taken away.
    pub remove_extra: bool,
}

/// How SentencePiece writes a space.
pub(super) const SPACE_MARK: char = '\u{2581}';

/// Applies the steps in order.
pub(super) fn run(steps: &[Step], text: &mut Aligned<'_>) {
    for step in steps {
        match step {
            Step::Form(form) => form.run(text),
            Step::Lowercase => lowercase(text),
            Step::Prepend(prefix) if text.as_str().is_empty() || prefix.is_empty() => {}
            Step::Prepend(prefix) => text.rewrite(|out| out.replace(0, prefix)),
            Step::Strip { left, right } => strip(text, *left, *right),
            Step::Replace(finder, with) => replace(text, finder, with),
            Step::Surround(finder) => surround(text, finder),
            Step::Graphemes(map) => text.rewrite(|out| graphemes(map, out)),
            Step::SentencePiece(normalizer) => text.rewrite(|out| normalizer.run(out)),
        }
    }
}

fn lowercase(text: &mut Aligned<'_>) {
    let is_lower = |c: char| c.to_lowercase().eq([c]);
    if text.as_str().chars().all(is_lower) {
        return;
    }
    text.rewrite(|out| {
        while let Some(c) = out.rest().chars().next() {
            if is_lower(c) {
                out.keep(c.len_utf8());
            } else {
                let lower: String = c.to_lowercase().collect();
                out.replace(c.len_utf8(), &lower);
            }
        }
    });
}

fn strip(text: &mut Aligned<'_>, left: bool, right: bool) {
    let whole = text.as_str();
    let start = if left { whole.len() - whole.trim_start().len() } else { 0 };
    let end = if right { whole.trim_end().len().max(start) } else { whole.len() };
    if (start, end) != (0, whole.len()) {
        text.rewrite(|out| {
            out.replace(start, "");
            out.keep(end - start);
            out.replace(out.rest().len(), "");
        });
    }
}

fn replace(text: &mut Aligned<'_>, finder: &Finder, with: &str) {
    rewrite_found(text, finder, |out, len| out.replace(len, with));
}

fn surround(text: &mut Aligned<'_>, finder: &Finder) {
    rewrite_found(text, finder, |out, len| {
        out.replace(0, " ");
        out.keep(len);
        out.replace(0, " ");
    });
}

/// Lets `change` write each found stretch of the text, given its length, and copies the rest.
fn rewrite_found(text: &mut Aligned<'_>, finder: &Finder, change: impl Fn(&mut Rewriter<'_>, usize)) {
    let mut cuts = Vec::new();
    finder.cut(text.as_str(), |range, found| cuts.push((range.len(), found)));
    if cuts.iter().any(|&(_, found)| found) {
        text.rewrite(|out| {
            for (len, found) in cuts {
                if found { change(out, len) } else { out.keep(len) }
            }
        });
    }
}

fn graphemes(map: &Charsmap, out: &mut Rewriter<'_>) {
    for grapheme in out.rest().graphemes(true) {
        // The reference's bound: longer graphemes are only looked at by character.
        let whole = if grapheme.len() < 6 { map.shortest(grapheme) } else { None };
        if let Some(with) = whole {
            out.replace(grapheme.len(), with);
            continue;
        }
        let mut buffer = [0; 4];
        for c in grapheme.chars() {
            match map.shortest(c.encode_utf8(&mut buffer)) {
                Some(with) => out.replace(c.len_utf8(), with),
                None => out.keep(c.len_utf8()),
            }
        }
    }
}

impl SentencePiece {
    /// What decoding takes away at the beginning: the space that was put there, or all.
    pub fn decoding(&self) -> Decoding {
        match (self.remove_extra, self.add_prefix) {
            (true, _) => Decoding::Spaces(usize::MAX),
            (false, true) => Decoding::Spaces(1),
            (false, false) => Decoding::Plain,
        }
    }

    /// Writes the normal form of the text.
    fn run(&self, out: &mut Rewriter<'_>) {
        if self.remove_extra {
            while let Some(len) = self.next(out.rest()).filter(|&(_, normal)| normal == " ").map(|(len, _)| len) {
                out.replace(len, "");
            }
        }
        if out.rest().is_empty() {
            return;
        }
        if self.add_prefix {
            out.replace(0, " ");
        }
        let mut after_space = self.remove_extra;
        while let Some((len, normal)) = self.next(out.rest()) {
            let source = &out.rest()[..len];
            let trimmed = if after_space { normal.trim_start_matches(' ') } else { normal };
            if !trimmed.is_empty() {
                after_space = self.remove_extra && trimmed.ends_with(' ');
            }
            if trimmed == source && !trimmed.contains(SPACE_MARK) {
                out.keep(len);
            } else {
                out.replace(len, &trimmed.replace(SPACE_MARK, " "));
            }
        }
        if self.remove_extra {
            out.truncate(out.out().trim_end_matches(' ').len());
        }
    }

    /// What the text begins with, as a stretch that is normalised by itself, and its normal form. None at the end.
    fn next<'t>(&'t self, text: &'t str) -> Option<(usize, &'t str)> {
        let c = text.chars().next()?;
        if let Some((len, _)) = self.protected.longest(text.as_bytes()) {
            return Some((len, &text[..len]));
        }
        let mapped = self.charsmap.as_ref().and_then(|map| map.longest(text));
        Some(mapped.unwrap_or((c.len_utf8(), &text[..c.len_utf8()])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(steps: &[Step], text: &str) -> String {
        let mut text = Aligned::new(text, true);
        run(steps, &mut text);
        text.as_str().to_owned()
    }

    #[test]
    fn normal_forms_keep_the_origin_of_what_they_replace() {
        let text = "e\u{301}x\u{1100}\u{1161}\u{11a8}ﬁ\u{212b}q\u{323}\u{307}";
        let mut aligned = Aligned::new(text, true);
        run(&[Step::Form(Form::Nfc)], &mut aligned);
        assert_eq!(aligned.as_str(), "éx각ﬁÅq\u{323}\u{307}");
        assert_eq!(aligned.origin(0..2), 0..3);
        assert_eq!(aligned.origin(2..3), 3..4);
        assert_eq!(aligned.origin(3..6), 4..13);
    }

    #[test]
    fn sentencepiece_prepares_spaces() {
        let both = |add_prefix, remove_extra, text: &str| {
            normal(&[Step::SentencePiece(SentencePiece { add_prefix, remove_extra, ..SentencePiece::default() })], text)
        };
        assert_eq!(both(true, false, " a▁ b "), "  a  b ");
        assert_eq!(both(true, true, "  a   b\u{2581} "), " a b");
        assert_eq!(both(false, true, "   "), "");
        assert_eq!(both(true, true, ""), "");
        assert_eq!(both(true, false, ""), "");
    }

    #[test]
    fn small_steps_do_what_they_say() {
        let literal = |text: &str| Finder::Literal(text.into());
        assert_eq!(normal(&[Step::Lowercase], "İSTANBUL Σ"), "i\u{307}stanbul σ");
        assert_eq!(normal(&[Step::Prepend("▁".into())], ""), "");
        assert_eq!(normal(&[Step::Prepend("▁".into()), Step::Replace(literal(" "), "▁".into())], "a b"), "▁a▁b");
        assert_eq!(normal(&[Step::Strip { left: true, right: true }], "\u{3000} a \n"), "a");
        assert_eq!(normal(&[Step::Strip { left: true, right: true }], "  "), "");
        assert_eq!(normal(&[Step::Surround(literal("字"))], "a字b"), "a 字 b");
    }
}
