//! Stop strings: ends a stream of text where one occurs, and lets nothing of it out.

/// Watches a stream for stop strings. Text that may be the beginning of one is held back, and no byte more than that.
///
/// Takes time linear in the text for each stop string (Knuth, Morris and Pratt's automaton).
#[derive(Debug, Default)]
pub struct StopMatcher {
    stops: Vec<Stop>,
    /// Text that is the beginning of a stop string.
    held: String,
    stopped: bool,
}

/// One stop string and how much of it the text so far ends with.
#[derive(Debug)]
struct Stop {
    bytes: Vec<u8>,
    /// `border[n]`: length of the longest proper prefix of the first `n` bytes that is also their suffix.
    border: Vec<usize>,
    matched: usize,
}

impl Stop {
    fn new(text: &str) -> Self {
        let bytes = text.as_bytes().to_vec();
        let mut border = vec![0; bytes.len() + 1];
        let mut k = 0;
        for n in 1..bytes.len() {
            while k > 0 && bytes[n] != bytes[k] {
                k = border[k];
            }
            k += usize::from(bytes[n] == bytes[k]);
            border[n + 1] = k;
        }
        Self { bytes, border, matched: 0 }
    }

    /// Takes the next byte of the text; whether it completes the stop string.
    fn step(&mut self, byte: u8) -> bool {
        while self.matched > 0 && self.bytes[self.matched] != byte {
            self.matched = self.border[self.matched];
        }
        self.matched += usize::from(self.bytes[self.matched] == byte);
        self.matched == self.bytes.len()
    }
}

impl StopMatcher {
    /// Watches for `stops`; empty strings among them never match.
    pub fn new<S: AsRef<str>>(stops: impl IntoIterator<Item = S>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.as_ref().is_empty()).map(|stop| Stop::new(stop.as_ref()));
        Self { stops: stops.collect(), ..Self::default() }
    }

    /// Takes the next piece of text. Gives the text that may go out now and whether a stop string has been met; after that,
    /// nothing goes out any more.
    ///
    /// The stop string that is complete first ends the text; of several complete at the same byte, the longest.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        if self.stopped {
            return (String::new(), true);
        }
        self.held.push_str(text);
        let begin = self.held.len() - text.len();
        for (i, byte) in text.bytes().enumerate() {
            let mut match_len = 0;
            for stop in &mut self.stops {
                if stop.step(byte) {
                    match_len = match_len.max(stop.bytes.len());
                }
            }
            if match_len > 0 {
                self.stopped = true;
                self.held.truncate(begin + i + 1 - match_len);
                return (std::mem::take(&mut self.held), true);
            }
        }
        let hold = self.stops.iter().map(|stop| stop.matched).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - hold);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// The text that was held back, once the stream has ended without a stop string.
    pub fn flush(&mut self) -> String {
        for stop in &mut self.stops {
            stop.matched = 0;
        }
        std::mem::take(&mut self.held)
    }

    /// Bytes held back now.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that goes out for `pieces`, joined, and whether it was stopped.
    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut matcher = StopMatcher::new(stops);
        let mut out = String::new();
        for piece in pieces {
            let (text, stopped) = matcher.push(piece);
            out.push_str(&text);
            if stopped {
                return (out, true);
            }
        }
        out.push_str(&matcher.flush());
        (out, false)
    }

    #[test]
    fn nothing_of_a_match_goes_out_however_it_is_cut() {
        let text = "ab aab aabaaabz";
        for cut in 0..text.len() {
            for cut2 in cut..text.len() {
                let pieces = [&text[..cut], &text[cut..cut2], &text[cut2..]];
                assert_eq!(run(&["aabaaab"], &pieces), ("ab aab ".into(), true));
            }
        }
    }

    #[test]
    fn holds_the_longest_suffix_that_begins_a_stop_string_and_no_more() {
        let mut matcher = StopMatcher::new(["\n\nUser:", "User"]);
        assert_eq!(matcher.push("one\n"), ("one".into(), false));
        assert_eq!(matcher.held(), 1);
        assert_eq!(matcher.push("\n"), (String::new(), false));
        // The first of three newlines begins no match any more.
        assert_eq!(matcher.push("\n"), ("\n".into(), false));
        assert_eq!(matcher.push("Use "), ("\n\nUse ".into(), false));
        assert_eq!(matcher.held(), 0);
        assert_eq!(matcher.push("Us"), (String::new(), false));
        assert_eq!(matcher.flush(), "Us");
    }

    #[test]
    fn the_first_complete_match_counts_and_of_those_the_longest() {
        assert_eq!(run(&["abc", "b"], &["xabc"]), ("xa".into(), true));
        assert_eq!(run(&["c", "abc"], &["xabc"]), ("x".into(), true));
    }

    #[test]
    fn characters_of_several_bytes_stay_whole() {
        // é is C3 A9, è is C3 A8: the first byte agrees and must not be split off.
        assert_eq!(run(&["é"], &["aè", "b"]), ("aèb".into(), false));
        assert_eq!(run(&["né"], &["un", "é!"]), ("u".into(), true));
    }

    #[test]
    fn without_stop_strings_everything_passes() {
        assert_eq!(run(&[], &["a", "", "b"]), ("ab".into(), false));
        assert_eq!(run(&[""], &["a"]), ("a".into(), false));
    }

    #[test]
    fn a_megabyte_that_almost_matches_all_the_time_is_linear() {
        let stop = format!("{}b", "a".repeat(5000));
        let text = "a".repeat(1 << 20);
        let (out, stopped) = run(&[&stop], &[&text]);
        assert_eq!((out.len(), stopped), (1 << 20, false));
    }
}
