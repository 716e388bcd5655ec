//! Pre-tokenizers: how a text is cut into the pieces that the model spells one by one.

use std::ops::Range;

use super::aligned::{Aligned, Rewriter};
use super::alphabet::char_of;
use super::pattern::Finder;

/// One step. Each works on the pieces that the one before left.
#[derive(Debug)]
pub(super) enum Step {
    /// Cuts at what is found.
    Cut {
        /// What is looked for.
        finder: Finder,
        /// What becomes of it.
        behavior: Behavior,
        /// Whether what lies between counts as found, and the other way round.
        invert: bool,
    },
    /// A space in front of each piece that does not begin with one.
    SpacePrefix,
    /// Marks in place of spaces, and a mark in front.
    Metaspace {
        /// The mark.
        mark: String,
        /// Which pieces get a mark in front.
        prepend: Prepend,
    },
    /// Bytes spelled in GPT-2's alphabet.
    Alphabet,
}

/// What becomes of a stretch that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behavior {
    /// It is thrown away.
    Removed,
    /// It is a piece.
    Isolated,
    /// It ends the piece before it.
    MergedWithPrevious,
    /// It begins the piece after it.
    MergedWithNext,
    /// It is a piece together with those found next to it.
    Contiguous,
}

/// Which pieces get a mark in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prepend {
    /// All.
    Always,
    /// The one at the beginning of the text.
    First,
    /// None.
    Never,
}

/// A piece of a text: to be spelled, or a token already.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Where it is, in bytes.
    pub range: Range<usize>,
    /// The token that it was found to be.
    pub token: Option<u32>,
}

/// A text on its way to being cut.
#[derive(Debug)]
pub(super) struct Pieces<'t> {
    /// The text.
    pub text: Aligned<'t>,
    /// Its pieces, in order; none is empty.
    pub list: Vec<Piece>,
    /// Whether this is the beginning of all that is encoded.
    pub at_start: bool,
}

impl Pieces<'_> {
    /// Applies the steps in order.
    pub fn run(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Cut { finder, behavior, invert } => self.cut(finder, *behavior, *invert),
                Step::SpacePrefix => self.space_prefix(),
                Step::Metaspace { mark, prepend } => self.metaspace(mark, *prepend),
                Step::Alphabet => self.alphabet(),
            }
        }
    }

    fn cut(&mut self, finder: &Finder, behavior: Behavior, invert: bool) {
        let mut list = Vec::with_capacity(self.list.len());
        for piece in self.list.drain(..) {
            if piece.token.is_some() {
                list.push(piece);
                continue;
            }
            let start = piece.range.start;
            let mut joiner = Joiner { list: &mut list, behavior, last_found: None };
            finder.cut(&self.text.as_str()[piece.range], |range, found| {
                joiner.push(start + range.start..start + range.end, found != invert);
            });
        }
        self.list = list;
    }

    fn space_prefix(&mut self) {
        self.rewrite(|_, text| !text.starts_with(' '), |out, _| out.replace(0, " "));
    }

    fn metaspace(&mut self, mark: &str, prepend: Prepend) {
        let at_start = self.at_start;
        let lacks_mark = |index: usize, text: &str| {
            let wanted = prepend == Prepend::Always || prepend == Prepend::First && index == 0 && at_start;
            wanted && !text.starts_with(' ') && !text.starts_with(mark)
        };
        self.rewrite(lacks_mark, |out, _| out.replace(0, mark));
        self.rewrite(
            |_, text| text.contains(' '),
            |out, end| {
                while let Some(space) = out.rest()[..end - out.at()].find(' ') {
                    out.keep(space);
                    out.replace(1, mark);
                }
            },
        );
    }

    fn alphabet(&mut self) {
        self.rewrite(
            |_, _| true,
            |out, end| {
                let mut spelling = String::new();
                while out.at() < end {
                    let c = out.rest().chars().next().unwrap_or_default();
                    spelling.clear();
                    spelling.extend(c.encode_utf8(&mut [0; 4]).bytes().map(char_of));
                    out.replace(c.len_utf8(), &spelling);
                }
            },
        );
    }

    /// Lets `change` write each piece that `wants` it, given its place in the list and its text, up to the byte where it ends; what
    /// it leaves unread is copied.
    fn rewrite(&mut self, wants: impl Fn(usize, &str) -> bool, change: impl Fn(&mut Rewriter<'_>, usize)) {
        let text = self.text.as_str();
        let wanted =
            |(index, piece): (usize, &Piece)| piece.token.is_none() && wants(index, &text[piece.range.clone()]);
        let wanted: Vec<bool> = self.list.iter().enumerate().map(wanted).collect();
        if !wanted.contains(&true) {
            return;
        }
        let list = &mut self.list;
        self.text.rewrite(|out| {
            for (piece, wanted) in list.iter_mut().zip(wanted) {
                out.keep(piece.range.start - out.at());
                let (start, end) = (out.out().len(), piece.range.end);
                if wanted {
                    change(out, end);
                }
                out.keep(end - out.at());
                piece.range = start..out.out().len();
            }
        });
    }
}

/// Collects the pieces of one piece.
struct Joiner<'l> {
    list: &'l mut Vec<Piece>,
    behavior: Behavior,
    /// Whether the stretch before was found; none at the beginning.
    last_found: Option<bool>,
}

impl Joiner<'_> {
    fn push(&mut self, range: Range<usize>, found: bool) {
        let last_found = self.last_found.replace(found);
        let joins = match self.behavior {
            Behavior::Removed if found => return,
            Behavior::Removed | Behavior::Isolated => false,
            Behavior::Contiguous => last_found == Some(found),
            Behavior::MergedWithPrevious => found && last_found == Some(false),
            Behavior::MergedWithNext => !found && last_found == Some(true),
        };
        match self.list.last_mut().filter(|_| joins) {
            Some(last) => last.range.end = range.end,
            None => self.list.push(Piece { range, token: None }),
        }
    }
}

/// The steps of a metaspace pre-tokenizer.
pub(super) fn metaspace(mark: char, prepend: Prepend, cuts: bool) -> Vec<Step> {
    let mut steps = vec![Step::Metaspace { mark: mark.into(), prepend }];
    if cuts {
        steps.push(Step::Cut {
            finder: Finder::Literal(mark.into()),
            behavior: Behavior::MergedWithNext,
            invert: false,
        });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, steps: &[Step]) -> Vec<String> {
        let whole = Piece { range: 0..text.len(), token: None };
        let mut pieces = Pieces { text: Aligned::new(text, false), list: vec![whole], at_start: true };
        pieces.run(steps);
        pieces.list.iter().map(|piece| pieces.text.as_str()[piece.range.clone()].to_owned()).collect()
    }

    #[test]
    fn each_behavior_is_the_references() {
        // The example of HF's documentation.
        for (behavior, expected) in [
            (Behavior::Removed, vec!["the", "final", "countdown"]),
            (Behavior::Isolated, vec!["the", "-", "final", "-", "-", "countdown"]),
            (Behavior::MergedWithPrevious, vec!["the-", "final-", "-", "countdown"]),
            (Behavior::MergedWithNext, vec!["the", "-final", "-", "-countdown"]),
            (Behavior::Contiguous, vec!["the", "-", "final", "--", "countdown"]),
        ] {
            let step = Step::Cut { finder: Finder::Literal("-".into()), behavior, invert: false };
            assert_eq!(pieces("the-final--countdown", &[step]), expected, "{behavior:?}");
        }
    }

    #[test]
    fn marks_stand_for_spaces() {
        assert_eq!(pieces("Hey  you", &metaspace('▁', Prepend::Always, true)), ["▁Hey", "▁", "▁you"]);
        assert_eq!(pieces(" Hey", &metaspace('▁', Prepend::First, false)), ["▁Hey"]);
        assert_eq!(pieces("Hey you", &metaspace('▁', Prepend::Never, true)), ["Hey", "▁you"]);
        assert_eq!(pieces("a", &[Step::SpacePrefix]), [" a"]);
    }
}
