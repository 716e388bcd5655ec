//! The rules applied to a whole text, as plainly as they are described: every match is tried at every place, by backtracking.

use inglenook_text::rules::Ended;

/// A pattern that can be written as a regex.
#[derive(Debug, Clone)]
pub enum Ast {
    /// One of these characters.
    Any(Vec<char>),
    /// One behind the other.
    Sequence(Vec<Ast>),
    /// One of them, the first preferred.
    Either(Vec<Ast>),
    /// Several times; as often as possible if greedy. What is repeated is never empty.
    Repeat { what: Box<Ast>, min: usize, max: Option<usize>, greedy: bool },
}

/// A rule: it stops, or masks.
#[derive(Debug, Clone)]
pub struct Rule {
    pub pattern: Ast,
    pub mask: Option<String>,
}

/// What becomes of a stretch of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The character that begins here.
    Char { at: usize },
    /// From here to there, the mask of this rule.
    Mask { from: usize, to: usize, rule: usize },
}

impl Piece {
    fn begin(&self) -> usize {
        match self {
            Piece::Char { at } => *at,
            Piece::Mask { from, .. } => *from,
        }
    }
}

/// What becomes of a text.
#[derive(Debug)]
pub struct Pieces {
    pub list: Vec<Piece>,
    pub ended: Option<Ended>,
}

impl Pieces {
    /// What goes out.
    pub fn text(&self, text: &str, rules: &[Rule]) -> String {
        let shown = |piece: &Piece| match piece {
            Piece::Char { at } => text[*at..].chars().take(1).collect(),
            Piece::Mask { rule, .. } => rules[*rule].mask.clone().unwrap_or_default(),
        };
        self.list.iter().map(shown).collect()
    }
}

impl Ast {
    /// As a regex, or as a plain text if it is one.
    pub fn source(&self) -> String {
        match self {
            Ast::Any(chars) if chars.len() == 1 => chars.iter().collect(),
            Ast::Any(chars) => format!("[{}]", chars.iter().collect::<String>()),
            Ast::Sequence(parts) => parts.iter().map(Ast::source).collect(),
            Ast::Either(parts) => format!("(?:{})", parts.iter().map(Ast::source).collect::<Vec<_>>().join("|")),
            Ast::Repeat { what, min, max, greedy } => {
                let max = max.map_or_else(String::new, |max| max.to_string());
                format!("(?:{}){{{min},{max}}}{}", what.source(), if *greedy { "" } else { "?" })
            }
        }
    }

    /// What it begins with.
    pub fn head(&self) -> &Ast {
        match self {
            Ast::Sequence(parts) if !parts.is_empty() => parts[0].head(),
            other => other,
        }
    }

    /// Whether it is a text and needs no regex.
    pub fn is_text(&self) -> bool {
        match self {
            Ast::Any(chars) => chars.len() == 1,
            Ast::Sequence(parts) => parts.iter().all(Ast::is_text),
            _ => false,
        }
    }

    /// Where matches that begin at `from` end, the preferred first, each once.
    pub fn ends(&self, text: &str, from: usize) -> Vec<usize> {
        let mut ends = Vec::new();
        match self {
            Ast::Any(chars) => {
                ends.extend(text[from..].chars().next().filter(|c| chars.contains(c)).map(|c| from + c.len_utf8()))
            }
            Ast::Sequence(parts) => match parts.split_first() {
                None => ends.push(from),
                Some((first, rest)) => {
                    let rest = Ast::Sequence(rest.to_vec());
                    ends.extend(first.ends(text, from).into_iter().flat_map(|middle| rest.ends(text, middle)));
                }
            },
            Ast::Either(parts) => ends.extend(parts.iter().flat_map(|part| part.ends(text, from))),
            Ast::Repeat { .. } => self.repeated(text, from, 0, &mut Vec::new(), &mut ends),
        }
        let mut seen = Vec::new();
        ends.retain(|end| {
            !seen.contains(end) && {
                seen.push(*end);
                true
            }
        });
        ends
    }

    /// The ends of a repetition that has come to `at` by the `count`-th time; places in `seen` have been tried.
    fn repeated(&self, text: &str, at: usize, count: usize, seen: &mut Vec<(usize, usize)>, ends: &mut Vec<usize>) {
        let Ast::Repeat { what, min, max, greedy } = self else { return };
        // Without a bound, all counts beyond the least are alike.
        let count = if max.is_none() { count.min(*min) } else { count };
        if seen.contains(&(at, count)) {
            return;
        }
        seen.push((at, count));
        let enough = count >= *min;
        if enough && !greedy {
            ends.push(at);
        }
        if max.is_none_or(|max| count < max) {
            for middle in what.ends(text, at) {
                self.repeated(text, middle, count + 1, seen, ends);
            }
        }
        if enough && *greedy {
            ends.push(at);
        }
    }
}

/// What the rules make of `text`; the first `stops` of them are stop strings.
pub fn pieces(text: &str, stops: usize, rules: &[Rule]) -> Pieces {
    let stop = first_stop(text, rules);
    let said = stop.map_or(text, |(_, end, _)| &text[..end]);
    let end = stop.map_or(text.len(), |(start, ..)| start);
    let mut list = masks(said, rules);
    list.retain(|piece| piece.begin() < end);
    Pieces { list, ended: stop.map(|(.., rule)| if rule < stops { Ended::Stop } else { Ended::Rule }) }
}

/// Begin, end and rule of the match of a stop that is complete first, of those the one that begins first, of those the first listed.
fn first_stop(text: &str, rules: &[Rule]) -> Option<(usize, usize, usize)> {
    let mut all = Vec::new();
    for (rule, Rule { pattern, .. }) in rules.iter().enumerate().filter(|(_, rule)| rule.mask.is_none()) {
        for (start, _) in text.char_indices() {
            all.extend(pattern.ends(text, start).into_iter().map(|end| (end, start, rule)));
        }
    }
    all.into_iter().min().map(|(end, start, rule)| (start, end, rule))
}

/// What becomes of each stretch of `text`, stops apart.
fn masks(text: &str, rules: &[Rule]) -> Vec<Piece> {
    let mut list = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let mut best: Option<(usize, usize)> = None;
        for (rule, Rule { pattern, .. }) in rules.iter().enumerate().filter(|(_, rule)| rule.mask.is_some()) {
            if let Some(&end) = pattern.ends(text, at).first()
                && best.is_none_or(|(longest, _)| end > longest)
            {
                best = Some((end, rule));
            }
        }
        match best {
            Some((to, rule)) => {
                list.push(Piece::Mask { from: at, to, rule });
                at = to;
            }
            None => {
                list.push(Piece::Char { at });
                at += c.len_utf8();
            }
        }
    }
    list
}

/// How much of `text` may be done with: what the masks make of it is the same for each continuation, and no stop can still begin there.
pub fn may_go_out(text: &str, rules: &[Rule], continuations: &[String]) -> usize {
    let mut agreed = masks(text, rules);
    let mut stop = text.len();
    for continuation in continuations {
        let longer = format!("{text}{continuation}");
        let other = masks(&longer, rules);
        let same = agreed.iter().zip(&other).take_while(|(one, other)| one == other).count();
        agreed.truncate(same);
        for rule in rules.iter().filter(|rule| rule.mask.is_none()) {
            let mut starts = text.char_indices().map(|(start, _)| start);
            stop = starts
                .find(|&start| rule.pattern.ends(&longer, start).iter().any(|&end| end > text.len()))
                .unwrap_or(stop)
                .min(stop);
        }
    }
    agreed.retain(|piece| piece.begin() < stop);
    agreed.last().map_or(0, |piece| match piece {
        Piece::Char { at } => at + text[*at..].chars().next().map_or(0, char::len_utf8),
        Piece::Mask { to, .. } => *to,
    })
}
