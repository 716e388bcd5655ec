//! A text that steps have changed, and the way back from its bytes to those of the original.
//!
//! Every step writes its output through a [`Rewriter`], which copies or replaces the next bytes of its input. That is all that
//! offsets need: what was copied maps byte by byte, what was replaced maps as a whole.

use std::borrow::Cow;
use std::ops::Range;

/// A stretch of a step's output and the stretch of its input that it was made of; both begin where the one before ended.
#[derive(Clone, Copy, Debug)]
struct Span {
    out_end: usize,
    source_end: usize,
    copied: bool,
}

/// What one step did, in order.
type Layer = Vec<Span>;

/// A text may become so many times as long, and [`SLACK`] bytes more. Unicode's own forms stay below 18 times; without a bound, a file could
/// put a megabyte in place of every letter.
const GROWTH: usize = 32;
const SLACK: usize = 4096;

/// A text with its history.
#[derive(Debug)]
pub(super) struct Aligned<'t> {
    text: Cow<'t, str>,
    /// Where replacing ends.
    limit: usize,
    /// One layer a step that changed something; none where nobody asks for offsets.
    layers: Option<Vec<Layer>>,
}

impl<'t> Aligned<'t> {
    /// The original. `tracked`: whether [`origin`](Self::origin) will be asked.
    pub fn new(text: &'t str, tracked: bool) -> Self {
        let limit = text.len().saturating_mul(GROWTH).saturating_add(SLACK);
        Self { text: Cow::Borrowed(text), limit, layers: tracked.then(Vec::new) }
    }

    /// The text as it is now.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Lets a step write the text anew.
    pub fn rewrite(&mut self, step: impl FnOnce(&mut Rewriter<'_>)) {
        let mut rewriter = Rewriter {
            source: &self.text,
            limit: self.limit,
            at: 0,
            out: String::with_capacity(self.text.len()),
            layer: self.layers.is_some().then(Vec::new),
        };
        step(&mut rewriter);
        rewriter.keep(rewriter.rest().len());
        let Rewriter { out, layer, .. } = rewriter;
        self.text = Cow::Owned(out);
        if let (Some(layers), Some(layer)) = (&mut self.layers, layer) {
            layers.push(layer);
        }
    }

    /// The bytes of the original that the bytes `range` of the text came from.
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        let mut range = range;
        for layer in self.layers.iter().flatten().rev() {
            let start = back(layer, range.start, false);
            range = start..back(layer, range.end, true).max(start);
        }
        range
    }

    /// The bytes of the text that came from these of the original, in order.
    pub fn made_of(&self, spans: &[Range<usize>]) -> Vec<Range<usize>> {
        let mut made: Vec<Range<usize>> = Vec::new();
        for (at, c) in self.text.char_indices() {
            let (range, origin) = (at..at + c.len_utf8(), self.origin(at..at + c.len_utf8()));
            let first = spans.partition_point(|span| span.end <= origin.start);
            if spans.get(first).is_some_and(|span| span.start < origin.end) {
                match made.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => made.push(range),
                }
            }
        }
        made
    }
}

/// The place in a step's input of byte `at` of its output: as a beginning, or as an end.
fn back(layer: &Layer, at: usize, is_end: bool) -> usize {
    let after = |span: &Span| if is_end { span.out_end < at } else { span.out_end <= at };
    let index = layer.partition_point(after);
    let before = index.checked_sub(1).map_or((0, 0), |index| (layer[index].out_end, layer[index].source_end));
    match layer.get(index) {
        Some(span) if span.copied => before.1 + (at - before.0),
        Some(span) if is_end && at > before.0 => span.source_end,
        _ => before.1,
    }
}

/// A step at work: input that it has not read yet, and output.
#[derive(Debug)]
pub(super) struct Rewriter<'s> {
    source: &'s str,
    limit: usize,
    at: usize,
    out: String,
    layer: Option<Layer>,
}

impl<'s> Rewriter<'s> {
    /// What has not been read yet.
    pub fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    /// How much of the input has been read, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The output so far.
    pub fn out(&self) -> &str {
        &self.out
    }

    /// Copies the next `len` bytes.
    pub fn keep(&mut self, len: usize) {
        if len > 0 {
            self.out.push_str(&self.source[self.at..self.at + len]);
            self.advance(len, true);
        }
    }

    /// Writes `with` in place of the next `len` bytes. Beyond the bound of a text's growth those are copied.
    pub fn replace(&mut self, len: usize, with: &str) {
        let grown = self.out.len() + with.len() + self.rest().len() - len;
        if with.len() > len && grown > self.limit {
            self.keep(len);
        } else if len > 0 || !with.is_empty() {
            self.out.push_str(with);
            self.advance(len, false);
        }
    }

    /// Takes away output beyond byte `len`.
    pub fn truncate(&mut self, len: usize) {
        self.out.truncate(len);
        for span in self.layer.iter_mut().flatten().rev().take_while(|span| span.out_end > len) {
            span.out_end = len;
            span.copied = false;
        }
    }

    fn advance(&mut self, len: usize, copied: bool) {
        self.at += len;
        let span = Span { out_end: self.out.len(), source_end: self.at, copied };
        match self.layer.as_mut().map(|layer| (layer.last_mut(), copied)) {
            Some((Some(last), true)) if last.copied => *last = span,
            Some(_) => self.layer.iter_mut().for_each(|layer| layer.push(span)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_go_back_through_copies_replacements_and_insertions() {
        let mut text = Aligned::new("abécd", true);
        text.rewrite(|out| {
            out.replace(0, "__");
            out.keep(2);
            out.replace(2, "e\u{301}");
        });
        assert_eq!(text.as_str(), "__abe\u{301}cd");
        text.rewrite(|out| {
            out.keep(3);
            out.replace(1, "");
        });
        assert_eq!(text.as_str(), "__ae\u{301}cd");
        let len = text.as_str().len();
        for (range, origin) in [(0..2, 0..0), (0..3, 0..1), (2..3, 0..1), (3..4, 2..4), (4..6, 2..4), (6..8, 4..6)] {
            assert_eq!(text.origin(range.clone()), origin, "{range:?}");
        }
        assert_eq!(text.origin(0..len), 0..6);
    }

    #[test]
    fn a_text_grows_within_bounds() {
        let original = "a".repeat(1000);
        let mut text = Aligned::new(&original, false);
        for _ in 0..4 {
            text.rewrite(|out| {
                while !out.rest().is_empty() {
                    out.replace(1, &"a".repeat(100));
                }
            });
        }
        let len = text.as_str().len();
        assert!((GROWTH * 1000..=GROWTH * 1000 + SLACK).contains(&len), "{len}");
    }
}
