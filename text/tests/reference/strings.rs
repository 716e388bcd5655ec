//! Strings by chance, the same for the same seed: of many scripts, emoji, runs of white space, digits, combining marks, code, rare code
//! points, and the tokens of a vocabulary, whole and damaged.

use std::sync::LazyLock;

use fastrand::Rng;
use regex::Regex;

/// Blocks of letters, for words of one script: Latin and its extensions, Greek, Cyrillic, Armenian, Hebrew, Arabic, Devanagari, Bengali,
/// Tamil, Thai, Tibetan, Georgian, Hangul jamo, Ethiopic, Cherokee, Khmer, kana, Han, Hangul, half- and full-width forms, Gothic, mathematical
/// letters.
const SCRIPTS: [(u32, u32); 24] = [
    (0x41, 0x7a),
    (0xc0, 0x24f),
    (0x1e00, 0x1eff),
    (0x370, 0x3ff),
    (0x400, 0x4ff),
    (0x531, 0x587),
    (0x5b0, 0x5ea),
    (0x60c, 0x6d5),
    (0x901, 0x970),
    (0x981, 0x9fa),
    (0xb82, 0xbf2),
    (0xe01, 0xe5b),
    (0xf00, 0xfbc),
    (0x10a0, 0x10f8),
    (0x1100, 0x11f9),
    (0x1200, 0x137c),
    (0x13a0, 0x13f4),
    (0x1780, 0x17e9),
    (0x3041, 0x30fe),
    (0x4e00, 0x9fa5),
    (0xac00, 0xd7a3),
    (0xff01, 0xffee),
    (0x10330, 0x1034a),
    (0x1d400, 0x1d7ff),
];

const EMOJI: [&str; 20] = [
    "😀", "👍", "👩", "👨", "👧", "🏽", "🏿", "❤", "☺", "✨", "🇫", "🇷", "🇯", "\u{200d}", "\u{200d}", "\u{fe0f}",
    "\u{fe0e}", "\u{20e3}", "💻", "🏴",
];

const SPACES: [&str; 22] = [
    " ", " ", " ", "  ", "   ", "        ", "\t", "\t\t", "\n", "\n", "\n\n", "\r\n", "\r", "\u{a0}", "\u{3000}",
    "\u{2003}", "\u{200b}", "\u{85}", "\u{2028}", "\u{b}", "\u{1c}", "▁",
];

const MARKS: [&str; 42] = [
    ".", ",", ";", ":", "!", "?", "'", "\"", "(", ")", "[", "]", "{", "}", "<", ">", "|", "/", "\\", "-", "_", "=",
    "+", "*", "&", "^", "%", "$", "#", "@", "~", "`", "...", "—", "“", "’", "。", "、", "²", "½", "€", "//\n",
];

const DIGITS: [&str; 14] = ["0", "1", "2", "9", "12", "345", "6789", "٣", "५", "１", "²", "½", "Ⅷ", "四"];

const CODE: [&str; 30] = [
    "fn",
    "def ",
    "self",
    "get",
    "Set",
    "HTTP",
    "toString",
    "x_1",
    "__init__",
    "return;",
    "'s",
    "'LL",
    "'re",
    "'ſ",
    "don't",
    "0x1F",
    "1e-10",
    "=>",
    "::<",
    "&&",
    "{\n\t",
    "}\n",
    "/* ",
    " */",
    "    ",
    "https://",
    "&lt;",
    "#!/bin/sh\n",
    "\\u0041",
    "<0x41>",
];

/// Characters of Unicode 8, which is the oldest version of whose tables the reference has some, but for nine that have become marks, letters or
/// symbols since; and planes that will long have none. Of later characters it knows some properties and not others.
static SETTLED: LazyLock<Regex> = LazyLock::new(|| {
    let changed = r"[\u{166d}\u{1734}\u{1885}\u{1886}\u{1cf2}\u{1cf3}\u{a9bd}\u{111c9}\u{1171e}]";
    Regex::new(&format!(r"\A[[\p{{age:8.0}}\u{{40000}}-\u{{dffff}}]--{changed}]\z")).expect("a pattern")
});

/// A generator of strings.
pub struct Strings<'a> {
    random: Rng,
    /// Texts of tokens, and names of added ones.
    tokens: &'a [String],
    names: &'a [String],
}

impl<'a> Strings<'a> {
    pub fn new(seed: u64, tokens: &'a [String], names: &'a [String]) -> Self {
        Self { random: Rng::with_seed(seed), tokens, names }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.random.usize(..end)
    }

    /// A string of up to twelve pieces.
    pub fn next(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..1 + self.below(12) {
            self.piece(&mut text);
            if self.below(3) == 0 {
                text.push_str(self.of(&SPACES));
            }
        }
        text
    }

    fn of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len())]
    }

    fn run(&mut self, choices: &[&'static str], max: usize, text: &mut String) {
        for _ in 0..1 + self.below(max) {
            text.push_str(self.of(choices));
        }
    }

    fn piece(&mut self, text: &mut String) {
        match self.below(14) {
            0..3 => self.word(text),
            3 => self.run(&EMOJI, 5, text),
            4 => self.run(&SPACES, 6, text),
            5 => self.run(&DIGITS, 6, text),
            6 => self.run(&MARKS, 4, text),
            7 => self.run(&CODE, 4, text),
            8 => self.run_of_scalars(text),
            9 => self.combined(text),
            10 => self.repeated(text),
            11 => self.name(text),
            _ => {
                let tokens = self.tokens;
                text.push_str(&tokens[self.below(tokens.len())]);
            }
        }
    }

    /// Letters of one script.
    fn word(&mut self, text: &mut String) {
        let of_few = self.below(3) == 0;
        let (first, last) = SCRIPTS[self.below(if of_few { 2 } else { SCRIPTS.len() })];
        for _ in 0..1 + self.below(7) {
            text.push(self.scalar(first, last));
        }
    }

    /// A settled character of a range, which must have one.
    fn scalar(&mut self, first: u32, last: u32) -> char {
        loop {
            let Some(c) = char::from_u32(self.random.u32(first..=last)) else { continue };
            if SETTLED.is_match(c.encode_utf8(&mut [0; 4])) {
                return c;
            }
        }
    }

    /// Characters of anywhere: control characters, private use, what stands for no character.
    fn run_of_scalars(&mut self, text: &mut String) {
        for _ in 0..1 + self.below(4) {
            let last = [0xff, 0x2fff, 0xffff, 0x10_ffff][self.below(4)];
            text.push(self.scalar(0, last));
        }
    }

    /// A letter with marks.
    fn combined(&mut self, text: &mut String) {
        text.push(self.scalar(0x41, 0x24f));
        for _ in 0..1 + self.below(3) {
            text.push(self.scalar(0x300, 0x36f));
        }
    }

    /// One thing many times.
    fn repeated(&mut self, text: &mut String) {
        let mut once = String::new();
        match self.below(3) {
            0 => self.run(&MARKS, 2, &mut once),
            1 => self.run(&SPACES, 2, &mut once),
            _ => once.push(self.scalar(0x61, 0x7a)),
        }
        text.push_str(&once.repeat(1 + self.below(40)));
    }

    /// An added token's name, or nearly that.
    fn name(&mut self, text: &mut String) {
        let names = self.names;
        let name = &names[self.below(names.len())];
        let cut = name.floor_char_boundary(self.below(name.len() + 1));
        match self.below(6) {
            0 => text.push_str(&name[cut..]),
            1 => text.push_str(&name[..cut]),
            2 => text.extend([&name[..cut], " ", &name[cut..]]),
            3 => text.push_str(&name.to_uppercase()),
            _ => text.push_str(name),
        }
    }
}
