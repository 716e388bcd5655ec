//! Unicode's normal forms (UAX #15), from tables that `build.rs` writes.

use std::sync::OnceLock;

use inglenook_format::order::sort_by;

use super::aligned::{Aligned, Rewriter};

const DECOMPOSITIONS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/decompositions.bin"));
const COMBINING_CLASSES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/combining_classes.bin"));

/// Unicode's normal forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

impl Form {
    fn is_composed(self) -> bool {
        matches!(self, Form::Nfc | Form::Nfkc)
    }

    fn is_compatible(self) -> bool {
        matches!(self, Form::Nfkc | Form::Nfkd)
    }

    /// Of a byte of [`Tables::unstable`].
    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Brings a text into the form.
    pub fn run(self, text: &mut Aligned<'_>) {
        if text.as_str().is_ascii() {
            return;
        }
        let tables = tables();
        if text.as_str().chars().all(|c| tables.is_stable(c, self)) {
            return;
        }
        text.rewrite(|out| {
            while !out.rest().is_empty() {
                self.run_stretch(tables, out);
            }
        });
    }

    /// Rewrites a character and the unstable ones behind it: nothing that follows changes them, or is changed by them.
    fn run_stretch(self, tables: &Tables, out: &mut Rewriter<'_>) {
        let mut chars = out.rest().char_indices();
        let is_first_stable = chars.next().is_none_or(|(_, c)| tables.is_stable(c, self));
        let mut rest = chars.skip_while(|&(_, c)| !tables.is_stable(c, self));
        let end = rest.next().map_or(out.rest().len(), |(at, _)| at);
        let stretch = &out.rest()[..end];
        if is_first_stable && stretch.chars().nth(1).is_none() {
            return out.keep(end);
        }
        let normal = tables.normal(stretch, self);
        if normal == stretch { out.keep(end) } else { out.replace(end, &normal) }
    }
}

const COMPOSED: u8 = Form::Nfc.bit() | Form::Nfkc.bit();
const DECOMPOSED: u8 = Form::Nfd.bit() | Form::Nfkd.bit();

#[derive(Clone, Copy, PartialEq)]
enum Decomposition {
    /// Canonical; composed forms put it together again.
    Composite,
    /// Canonical; it is never put together.
    Canonical,
    /// Of compatibility alone.
    Compatible,
}

struct Tables {
    /// Characters that have a decomposition, in their order, with its kind and its end in `parts`; it begins where the one before ends.
    decompositions: Vec<(char, Decomposition, usize)>,
    parts: Vec<char>,
    /// Runs of one class: the first character's number, the last one's, the class.
    classes: Vec<(u32, u32, u8)>,
    /// The two parts of each composite and what they make, in their order.
    composites: Vec<([char; 2], char)>,
    /// A bit a form of each character: it may change, change its place, or change with the one before.
    unstable: Vec<u8>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(Tables::read)
}

impl Tables {
    fn read() -> Tables {
        let mut tables = Tables {
            decompositions: Vec::new(),
            parts: Vec::new(),
            classes: Vec::new(),
            composites: Vec::new(),
            unstable: Vec::new(),
        };
        tables.read_decompositions();
        tables.read_classes();
        tables.pair_composites();
        tables.mark_unstable();
        tables
    }

    fn read_decompositions(&mut self) {
        let (mut bytes, mut next, mut before) = (DECOMPOSITIONS, 0, [0; 18]);
        while !bytes.is_empty() {
            next += number(&mut bytes);
            let shape = number(&mut bytes);
            for part in &mut before[..shape as usize / 4] {
                let step = number(&mut bytes);
                *part += (step >> 1) as i32 ^ -((step & 1) as i32);
                self.parts.push(character(*part as u32));
            }
            let kinds = [Decomposition::Composite, Decomposition::Canonical, Decomposition::Compatible];
            self.decompositions.push((character(next), kinds[shape as usize % 4], self.parts.len()));
            next += 1;
        }
    }

    fn read_classes(&mut self) {
        let (mut bytes, mut next) = (COMBINING_CLASSES, 0);
        while !bytes.is_empty() {
            let first = next + number(&mut bytes);
            next = first + number(&mut bytes);
            self.classes.push((first, next - 1, number(&mut bytes) as u8));
        }
    }

    /// A composite of three parts is one of its first two and the third: shorter ones come first.
    fn pair_composites(&mut self) {
        for length in 2..=4 {
            let mut longer = Vec::new();
            for &(c, kind, _) in &self.decompositions {
                if let Some((_, [first, middle @ .., last])) = self.decomposition(c)
                    && (kind, middle.len() + 2) == (Decomposition::Composite, length)
                {
                    let first = middle.iter().try_fold(*first, |first, part| self.composite(first, *part));
                    longer.extend(first.map(|first| ([first, *last], c)));
                }
            }
            self.composites.extend(longer);
            sort_by(&mut self.composites, Ord::cmp);
        }
    }

    fn mark_unstable(&mut self) {
        let mut marks: Vec<(char, u8)> = Vec::new();
        let hangul = [
            (SYLLABLES, SYLLABLE_COUNT, DECOMPOSED),
            (VOWELS, VOWEL_COUNT, COMPOSED),
            (TAILS + 1, TAIL_COUNT - 1, COMPOSED),
        ];
        for (first, count, bits) in hangul {
            marks.extend((first..first + count).map(|c| (character(c), bits)));
        }
        for &(first, last, _) in &self.classes {
            marks.extend((first..=last).map(|c| (character(c), COMPOSED | DECOMPOSED)));
        }
        marks.extend(self.composites.iter().map(|([_, last], _)| (*last, COMPOSED)));
        let is_compatible = |part: &char| matches!(self.decomposition(*part), Some((Decomposition::Compatible, _)));
        for &(c, ..) in &self.decompositions {
            let bits = match self.decomposition(c) {
                Some((Decomposition::Composite, parts)) if !parts.iter().any(is_compatible) => DECOMPOSED,
                Some((Decomposition::Composite, _)) => DECOMPOSED | Form::Nfkc.bit(),
                Some((Decomposition::Compatible, _)) => Form::Nfkc.bit() | Form::Nfkd.bit(),
                _ => COMPOSED | DECOMPOSED,
            };
            marks.push((c, bits));
        }
        for (c, bits) in marks {
            if self.unstable.len() <= c as usize {
                self.unstable.resize(c as usize + 1, 0);
            }
            self.unstable[c as usize] |= bits;
        }
    }

    fn is_stable(&self, c: char, form: Form) -> bool {
        self.unstable.get(c as usize).is_none_or(|bits| bits & form.bit() == 0)
    }

    /// What a character is made of, to the last.
    fn decomposition(&self, c: char) -> Option<(Decomposition, &[char])> {
        let at = self.decompositions.binary_search_by_key(&c, |(c, ..)| *c).ok()?;
        let (_, kind, end) = self.decompositions[at];
        let begin = at.checked_sub(1).map_or(0, |before| self.decompositions[before].2);
        Some((kind, &self.parts[begin..end]))
    }

    fn class(&self, c: char) -> u8 {
        let at = self.classes.partition_point(|(_, last, _)| *last < c as u32);
        self.classes.get(at).filter(|(first, ..)| *first <= c as u32).map_or(0, |(_, _, class)| *class)
    }

    fn composite(&self, first: char, last: char) -> Option<char> {
        hangul_composite(first as u32, last as u32).map(character).or_else(|| {
            let at = self.composites.binary_search_by_key(&[first, last], |(parts, _)| *parts).ok()?;
            Some(self.composites[at].1)
        })
    }

    fn normal(&self, text: &str, form: Form) -> String {
        let mut chars = Vec::new();
        text.chars().for_each(|c| self.decompose(c, form, &mut chars));
        for marks in chars.chunk_by_mut(|left, right| (left.1 == 0) == (right.1 == 0)) {
            sort_by(marks, |a, b| a.1.cmp(&b.1));
        }
        if form.is_composed() { self.compose(&chars) } else { chars.into_iter().map(|(c, _)| c).collect() }
    }

    /// Pushes what `c` is made of in the form, each with its class.
    fn decompose(&self, c: char, form: Form, to: &mut Vec<(char, u8)>) {
        let syllable = (c as u32).wrapping_sub(SYLLABLES);
        if syllable < SYLLABLE_COUNT {
            let (lead, vowel, tail) =
                (syllable / (VOWEL_COUNT * TAIL_COUNT), syllable / TAIL_COUNT % VOWEL_COUNT, syllable % TAIL_COUNT);
            to.extend([LEADS + lead, VOWELS + vowel].map(|jamo| (character(jamo), 0)));
            to.extend((tail > 0).then_some((character(TAILS + tail), 0)));
            return;
        }
        match self.decomposition(c) {
            Some((Decomposition::Compatible, parts)) if form.is_compatible() => {
                to.extend(parts.iter().map(|part| (*part, self.class(*part))));
            }
            // Of its parts, some may have a decomposition of compatibility.
            Some((Decomposition::Composite | Decomposition::Canonical, parts)) => {
                parts.iter().for_each(|part| self.decompose(*part, form, to));
            }
            _ => to.push((c, self.class(c))),
        }
    }

    /// Each character joins the last starter where they make one and nothing between them is of its class or a higher one.
    fn compose(&self, chars: &[(char, u8)]) -> String {
        let mut composed: Vec<char> = Vec::new();
        let (mut starter, mut between) = (None, 0);
        for &(c, class) in chars {
            if let Some(at) = starter
                && (composed.len() == at + 1 || between < class)
                && let Some(both) = self.composite(composed[at], c)
            {
                composed[at] = both;
                continue;
            }
            if class == 0 {
                starter = Some(composed.len());
            }
            between = class;
            composed.push(c);
        }
        composed.into_iter().collect()
    }
}

/// Syllables of Hangul are counted through, by leading consonant, vowel and tail, of which the first is none.
const SYLLABLES: u32 = 0xac00;
const LEADS: u32 = 0x1100;
const VOWELS: u32 = 0x1161;
const TAILS: u32 = 0x11a7;
const LEAD_COUNT: u32 = 19;
const VOWEL_COUNT: u32 = 21;
const TAIL_COUNT: u32 = 28;
const SYLLABLE_COUNT: u32 = LEAD_COUNT * VOWEL_COUNT * TAIL_COUNT;

fn hangul_composite(first: u32, last: u32) -> Option<u32> {
    let [lead, vowel, syllable, tail] =
        [(first, LEADS), (last, VOWELS), (first, SYLLABLES), (last, TAILS)].map(|(c, begin)| c.wrapping_sub(begin));
    if lead < LEAD_COUNT && vowel < VOWEL_COUNT {
        return Some(SYLLABLES + (lead * VOWEL_COUNT + vowel) * TAIL_COUNT);
    }
    (syllable < SYLLABLE_COUNT && syllable % TAIL_COUNT == 0 && (1..TAIL_COUNT).contains(&tail)).then(|| first + tail)
}

fn character(number: u32) -> char {
    char::from_u32(number).unwrap_or_default()
}

/// A number as `build.rs` writes it, taken off the front.
fn number(bytes: &mut &[u8]) -> u32 {
    let (mut number, mut shift) = (0, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u32::from(byte & 127) << shift;
        shift += 7;
        if *byte < 128 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    fn reference(text: &str, form: Form) -> String {
        match form {
            Form::Nfc => text.nfc().collect(),
            Form::Nfd => text.nfd().collect(),
            Form::Nfkc => text.nfkc().collect(),
            Form::Nfkd => text.nfkd().collect(),
        }
    }

    fn check(text: &str) {
        for form in [Form::Nfc, Form::Nfd, Form::Nfkc, Form::Nfkd] {
            let mut aligned = Aligned::new(text, false);
            form.run(&mut aligned);
            assert_eq!(aligned.as_str(), reference(text, form), "{form:?} of {:?}", text.escape_unicode().to_string());
        }
    }

    #[test]
    fn every_character_alone_and_between_others_has_the_forms_of_the_reference() {
        for c in char::MIN..=char::MAX {
            check(c.encode_utf8(&mut [0; 4]));
            check(&format!("a{c}\u{301}\u{323}e"));
        }
    }

    #[test]
    fn characters_that_change_each_other_have_the_forms_of_the_reference() {
        let tables = tables();
        let mut unstable: Vec<char> = (char::MIN..=char::MAX)
            .filter(|c| tables.unstable.get(*c as usize).is_some_and(|bits| *bits != 0) || *c < '\u{250}')
            .collect();
        unstable.extend(tables.composites.iter().map(|([first, _], _)| *first));
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200_000 {
            let text: String = (0..random.usize(1..9)).filter_map(|_| random.choice(&unstable)).collect();
            check(&text);
        }
        for ([first, last], _) in &tables.composites {
            check(&format!("{first}{last}{last}"));
            check(&format!("{first}\u{323}{last}\u{301}"));
        }
    }

    #[test]
    fn syllables_of_hangul_are_composed_from_jamo_when_they_follow_each_other() {
        for text in [
            "\u{1100}\u{1161}\u{11a8}",
            "\u{ac00}\u{11a8}\u{11a8}",
            "\u{ac01}\u{11a7}",
            "\u{1100}\u{301}\u{1161}",
            "한국어",
        ] {
            check(text);
        }
    }
}
