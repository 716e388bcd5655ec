//! Texts that know which of their parts users wrote. Every operation of the language keeps that, so that in the end each byte of a
//! prompt is known to be the template's own or a user's, while the template sees texts as they are.

use std::ops::{Deref, Range};
use std::sync::{Arc, LazyLock};

use super::super::TemplateError;
use super::limits::Limits;

/// Bytes of a text, from one place to another.
pub type Span = Range<usize>;

/// The spans of a text that is a user's as a whole, however long it is.
static WHOLE: LazyLock<Arc<Vec<Span>>> = LazyLock::new(|| Arc::new(vec![Span { start: 0, end: usize::MAX }]));

/// A text. What is not known to be a user's is the template's own.
#[derive(Clone, Debug)]
pub struct Text {
    text: Arc<str>,
    /// What users wrote, in order, apart from each other; it may reach beyond the end.
    user: Option<Arc<Vec<Span>>>,
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Text {
    /// The template's own.
    pub fn own(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), user: None }
    }

    /// What a user wrote.
    pub fn user(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), user: Some(WHOLE.clone()) }
    }

    /// The text alone.
    pub fn shared(&self) -> &Arc<str> {
        &self.text
    }

    /// What is made of this text so that its letters cannot be told apart any more: a user's, if any of it is.
    pub fn derived(&self, text: impl Into<Arc<str>>) -> Self {
        if self.user.is_some() { Self::user(text) } else { Self::own(text) }
    }

    /// A part of this text, which must be a slice of it.
    pub fn part(&self, part: &str) -> Self {
        if part.len() == self.len() {
            return self.clone();
        }
        let mut builder = TextBuilder::default();
        builder.push_part(self, part);
        builder.finish()
    }

    /// Its stretches that are all the template's own or all a user's, and whether they are a user's.
    pub fn stretches(&self) -> impl Iterator<Item = (&str, bool)> {
        let mut spans = self.within(0..self.len());
        let mut next = spans.next();
        let mut at = 0;
        std::iter::from_fn(move || {
            let (end, is_user) = match &next {
                Some(span) if span.start == at => (span.end, true),
                Some(span) => (span.start, false),
                None => (self.len(), false),
            };
            if is_user {
                next = spans.next();
            }
            let stretch = &self.text[at..end];
            at = end;
            (!stretch.is_empty()).then_some((stretch, is_user))
        })
    }

    /// A measure of its size: bytes of text and of what is known of them.
    pub fn cost(&self) -> usize {
        self.len() + self.user.as_ref().map_or(0, |spans| (spans.len() - 1) * size_of::<Span>())
    }

    /// The user's spans within a range.
    fn within(&self, range: Span) -> impl Iterator<Item = Span> {
        let spans = self.user.as_ref().map_or(&[][..], |spans| &spans[..]);
        let Span { start, end } = range;
        let first = spans.partition_point(|span| span.end <= start);
        let clipped = move |span: &Span| span.start.max(start)..span.end.min(end);
        spans[first..].iter().map(clipped).take_while(|span| span.start < span.end)
    }
}

/// A text in the making.
#[derive(Debug, Default)]
pub struct TextBuilder {
    text: String,
    user: Vec<Span>,
}

impl TextBuilder {
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Appends words of the template's own.
    pub fn push_str(&mut self, own: &str) {
        self.text.push_str(own);
    }

    pub fn push(&mut self, own: char) {
        self.text.push(own);
    }

    /// Appends a text.
    pub fn push_text(&mut self, text: &Text) {
        let base = self.text.len();
        self.text.push_str(text);
        for span in text.within(0..text.len()) {
            self.mark(base + span.start..base + span.end);
        }
    }

    /// Appends a part of `text`, which must be a slice of it.
    pub fn push_part(&mut self, text: &Text, part: &str) {
        let base = self.text.len();
        self.text.push_str(part);
        if text.user.is_none() {
            return;
        }
        let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        if text.get(start..start.saturating_add(part.len())).is_none() {
            return self.mark(base..base + part.len());
        }
        for span in text.within(start..start + part.len()) {
            self.mark(base + span.start - start..base + span.end - start);
        }
    }

    /// Appends what `write` does, as a user's words if `is_user`.
    pub fn write(&mut self, is_user: bool, write: impl FnOnce(&mut String)) {
        let start = self.text.len();
        write(&mut self.text);
        if is_user {
            self.mark(start..self.text.len());
        }
    }

    /// The text.
    pub fn finish(self) -> Text {
        let user = match &self.user[..] {
            [] => None,
            [span] if *span == (0..self.text.len()) => Some(WHOLE.clone()),
            _ => Some(Arc::new(self.user)),
        };
        Text { text: self.text.into(), user }
    }

    /// The text, which counts as built.
    pub fn built(self, limits: &mut Limits) -> Result<Text, TemplateError> {
        let text = self.finish();
        limits.build(text.cost())?;
        Ok(text)
    }

    /// The text and what users wrote of it.
    pub fn into_parts(self) -> (String, Vec<Span>) {
        (self.text, self.user)
    }

    fn mark(&mut self, span: Span) {
        match self.user.last_mut() {
            _ if span.is_empty() => {}
            Some(last) if last.end == span.start => last.end = span.end,
            _ => self.user.push(span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed() -> Text {
        let mut builder = TextBuilder::default();
        builder.push_str("own ");
        builder.push_text(&Text::user("user"));
        builder.push_str(" own ");
        builder.push_text(&Text::user("a"));
        builder.push_text(&Text::user("b"));
        builder.finish()
    }

    fn stretches(text: &Text) -> Vec<(&str, bool)> {
        text.stretches().collect()
    }

    #[test]
    fn parts_keep_what_users_wrote() {
        let text = mixed();
        assert_eq!(stretches(&text), [("own ", false), ("user", true), (" own ", false), ("ab", true)]);
        assert_eq!(stretches(&text.part(&text[2..6])), [("n ", false), ("us", true)]);
        assert_eq!(stretches(&text.part(&text[5..7])), [("se", true)]);
        assert_eq!(stretches(&text.part(&text[0..3])), [("own", false)]);
        assert_eq!(stretches(&text.part(&text[14..])), [("b", true)]);
        assert_eq!(stretches(&text.part("")), []);
        // A part that is none counts as a user's.
        assert_eq!(stretches(&text.part("xyz")), [("xyz", true)]);
    }

    #[test]
    fn what_is_derived_of_a_user_is_a_users() {
        assert_eq!(stretches(&mixed().derived("X")), [("X", true)]);
        assert_eq!(stretches(&Text::own("x").derived("X")), [("X", false)]);
    }
}
