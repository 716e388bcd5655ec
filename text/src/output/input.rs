//! The text that has come and has not been read: a cursor over it, and the question whether a marker stands there.

/// Whether a marker stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    Yes,
    No,
    /// The text ends before that can be told.
    Maybe,
}

/// Text not read yet and, while a call is being read, all of the call's text, so that it can be given back.
#[derive(Debug, Default)]
pub(super) struct Input {
    text: String,
    at: usize,
    /// Where the call that is being read begins.
    mark: Option<usize>,
    /// Where the draft that is being read begins, with the white space before it.
    draft: Option<usize>,
    /// Where the last token begins that is a marker by itself.
    token: Option<usize>,
    ended: bool,
    /// Whether the text was cut off before its end.
    is_cut: bool,
}

impl Input {
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Takes the text of a token that is a marker by itself, as no plain text can be.
    pub fn push_token(&mut self, text: &str) {
        self.token = Some(self.text.len());
        self.push(text);
    }

    /// How many bytes after the cursor the last such token begins, unless it has been read.
    pub fn token(&self) -> Option<usize> {
        self.token?.checked_sub(self.at)
    }

    /// No more text will come, so that nothing is a [`Match::Maybe`] any more. `is_cut`: the model would have said more.
    pub fn end(&mut self, is_cut: bool) {
        self.ended = true;
        self.is_cut = is_cut;
    }

    /// Whether no more text will come and all has been read.
    pub fn is_over(&self) -> bool {
        self.ended && self.rest().is_empty()
    }

    /// Whether all has been read and the model has said all that it would: then a call needs no marker behind it to be whole.
    pub fn is_whole(&self) -> bool {
        self.is_over() && !self.is_cut
    }

    /// Whether no more text will come.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    pub fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes `bytes` further, which must end at a character of [`Input::rest`].
    pub fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    pub fn skip_whitespace(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Whether `marker` stands at the cursor.
    pub fn starts(&self, marker: &str) -> Match {
        self.starts_at(0, marker)
    }

    /// Whether `marker` stands `offset` bytes after the cursor.
    pub fn starts_at(&self, offset: usize, marker: &str) -> Match {
        let rest = &self.text.as_bytes()[self.at + offset..];
        let common = rest.len().min(marker.len());
        match rest[..common] == marker.as_bytes()[..common] {
            true if common == marker.len() => Match::Yes,
            true if !self.ended => Match::Maybe,
            _ => Match::No,
        }
    }

    /// The first place from the cursor on where one of `markers` stands or may stand: its offset and, if one does, which.
    pub fn find(&self, markers: &[&str]) -> Option<(usize, Option<usize>)> {
        self.find_within(usize::MAX, markers)
    }

    /// As [`Input::find`], for places less than `bytes` away. Where nothing is read unless a marker is found, looking further than
    /// that could take quadratic time.
    pub fn find_within(&self, bytes: usize, markers: &[&str]) -> Option<(usize, Option<usize>)> {
        for (offset, byte) in self.rest().bytes().take(bytes).enumerate() {
            let mut maybe = false;
            for (which, marker) in markers.iter().enumerate() {
                if marker.as_bytes().first() != Some(&byte) {
                    continue;
                }
                match self.starts_at(offset, marker) {
                    Match::Yes => return Some((offset, Some(which))),
                    Match::Maybe => maybe = true,
                    Match::No => {}
                }
            }
            if maybe {
                return Some((offset, None));
            }
        }
        None
    }

    /// The call that is about to be read begins `before` bytes before the cursor.
    pub fn mark(&mut self, before: usize) {
        self.mark = Some(self.at - before);
    }

    /// Nothing is being read that would have to be given back.
    pub fn unmark(&mut self) {
        self.mark = None;
    }

    /// The text from the mark to the cursor.
    pub fn raw(&self) -> &str {
        &self.text[self.mark.unwrap_or(self.at)..self.at]
    }

    /// Goes back so that `keep` bytes lie between the mark and the cursor.
    pub fn rewind(&mut self, keep: usize) {
        if let Some(mark) = self.mark {
            self.at = mark + keep;
        }
    }

    /// Keeps all text from the cursor on, until [`Input::end_draft`] or [`Input::rewind_draft`].
    pub fn begin_draft(&mut self) {
        self.draft = Some(self.at);
    }

    /// Nothing that was kept will be read again.
    pub fn end_draft(&mut self) {
        self.draft = None;
    }

    /// Goes back to where the draft begins. Tokens among what was read of it are markers no more.
    pub fn rewind_draft(&mut self) {
        let Some(draft) = self.draft.take() else { return };
        self.token = self.token.filter(|token| *token >= self.at);
        (self.at, self.mark) = (draft, None);
    }

    /// The marker that the last token is has been seen.
    pub fn forget_token(&mut self) {
        self.token = None;
    }

    /// Gives up the memory of what has been read.
    pub fn compact(&mut self) {
        let done = [self.mark, self.draft].into_iter().flatten().fold(self.at, usize::min);
        if done > 0 {
            self.text.drain(..done);
            self.at -= done;
            for place in [&mut self.mark, &mut self.draft, &mut self.token] {
                *place = place.and_then(|place| place.checked_sub(done));
            }
        }
    }

    /// Bytes that are kept: not read, or read as part of the call under way.
    pub fn held(&self) -> usize {
        self.text.len()
    }
}
