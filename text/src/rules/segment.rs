//! Text in whole words, sentences or lines, so that whoever is asked about it can judge each before it is shown.
//!
//! The segments, joined, are the text; where they are cut depends on the text alone, not on the pieces it came in.

use serde::Deserialize;

/// Longest segment in bytes: a text without a boundary is cut there, between characters.
pub const MAX_SEGMENT: usize = 4 << 10;

/// What a segment is. White space alone is none; it goes in front of what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Segment {
    /// Up to and with a white space character. Ideographs and kana are a word each.
    Word,
    /// Up to and with the white space behind `.`, `!`, `?` or `…`, or up to `。`, `！`, `？` or `｡`, each with the quotes and brackets
    /// that close behind it; or a line.
    Sentence,
    /// Up to and with a line feed.
    Line,
}

/// What the characters so far say about a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing.
    Within,
    /// A sentence has ended if white space follows.
    MayEnd,
    /// A sentence has ended, but for what closes behind it.
    Ended,
}

/// Cuts a stream of text into segments.
#[derive(Debug)]
pub struct Segmenter {
    unit: Segment,
    segment: String,
    state: State,
    /// Whether the segment is white space so far.
    blank: bool,
}

impl Segmenter {
    /// At the start of a text.
    pub fn new(unit: Segment) -> Self {
        Self { unit, segment: String::new(), state: State::Within, blank: true }
    }

    /// Takes the next piece of text, and gives the segments that are whole by now.
    pub fn push(&mut self, text: &str) -> Vec<String> {
        let mut whole = Vec::new();
        for c in text.chars() {
            if self.ends_before(c) {
                whole.push(self.take());
            }
            let ends = !self.blank && self.ends_with(c);
            self.state = self.after(c);
            self.blank &= c.is_whitespace();
            self.segment.push(c);
            if ends {
                whole.push(self.take());
            }
        }
        whole
    }

    /// The rest of the text, once it has ended; empty where nothing is left. A new text may begin then.
    pub fn flush(&mut self) -> String {
        self.take()
    }

    /// Bytes held back now.
    pub fn held(&self) -> usize {
        self.segment.len()
    }

    fn take(&mut self) -> String {
        self.state = State::Within;
        self.blank = true;
        std::mem::take(&mut self.segment)
    }

    /// Whether `c` begins a new segment.
    fn ends_before(&self, c: char) -> bool {
        let ends = match self.unit {
            Segment::Word => !self.blank && is_ideograph(c),
            Segment::Sentence => self.state == State::Ended && !ends_sentence(c) && !closes(c),
            Segment::Line => false,
        };
        ends || self.segment.len() + c.len_utf8() > MAX_SEGMENT
    }

    /// Whether a segment that is not blank ends with `c`.
    fn ends_with(&self, c: char) -> bool {
        match self.unit {
            Segment::Word => c.is_whitespace(),
            Segment::Sentence => c == '\n' || (c.is_whitespace() && self.state == State::MayEnd),
            Segment::Line => c == '\n',
        }
    }

    fn after(&self, c: char) -> State {
        match c {
            '。' | '！' | '？' | '｡' => State::Ended,
            _ if self.state == State::Ended => State::Ended,
            _ if ends_sentence(c) => State::MayEnd,
            _ if closes(c) => self.state,
            _ => State::Within,
        }
    }
}

fn ends_sentence(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '｡')
}

fn closes(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | ')' | ']' | '}' | '*' | '_' | '’' | '”' | '»' | '›' | '」' | '』' | '）' | '】' | '》' | '〉'
    )
}

/// Whether a character of a script that is written without spaces stands for itself.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(unit: Segment, pieces: &[&str]) -> Vec<String> {
        let mut segmenter = Segmenter::new(unit);
        let mut all: Vec<String> = pieces.iter().flat_map(|piece| segmenter.push(piece)).collect();
        all.extend(Some(segmenter.flush()).filter(|rest| !rest.is_empty()));
        all
    }

    #[test]
    fn words_end_with_white_space_and_ideographs_are_words() {
        assert_eq!(segments(Segment::Word, &["one  two\nthree"]), ["one ", " two\n", "three"]);
        assert_eq!(segments(Segment::Word, &["ab日本 語x y"]), ["ab", "日", "本 ", "語x ", "y"]);
    }

    #[test]
    fn sentences_end_with_the_space_behind_their_mark() {
        let text = "It costs 3.50! \"Really?\" Yes... e.g.\n\n- a list\nno end";
        let whole = ["It costs 3.50! ", "\"Really?\" ", "Yes... ", "e.g.\n", "\n- a list\n", "no end"];
        assert_eq!(segments(Segment::Sentence, &[text]), whole);
    }

    #[test]
    fn ideographic_marks_end_a_sentence_without_a_space() {
        let whole = ["「はい。」", "そう？！", "いいえ"];
        assert_eq!(segments(Segment::Sentence, &["「はい。」そう？！いいえ"]), whole);
    }

    #[test]
    fn lines_end_with_their_feed_and_blank_ones_lead_the_next() {
        assert_eq!(segments(Segment::Line, &["a. b\r\n\n\nc"]), ["a. b\r\n", "\n\nc"]);
    }

    #[test]
    fn cuts_make_no_difference() {
        let text = "Dr. X said: “No!” 3.5 is 好。好！ ok\n\nend?";
        for unit in [Segment::Word, Segment::Sentence, Segment::Line] {
            let whole = segments(unit, &[text]);
            assert_eq!(whole.concat(), text);
            for (cut, _) in text.char_indices() {
                assert_eq!(segments(unit, &[&text[..cut], &text[cut..]]), whole, "{unit:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_text_without_a_boundary_is_cut_between_characters() {
        for unit in [Segment::Word, Segment::Sentence, Segment::Line] {
            let whole = segments(unit, &["é".repeat(3000).as_str(), &"\t".repeat(5000)]);
            assert_eq!(whole[0].len(), MAX_SEGMENT, "{unit:?}");
            assert!(whole.iter().all(|segment| segment.len() <= MAX_SEGMENT), "{unit:?}");
            assert_eq!(whole.concat().len(), 6000 + 5000);
        }
    }
}
