//! Which texts of a template's source it prints, and which it only looks for: enough of Jinja to tell, for sources that may be broken.

use std::ops::Range;

/// Functions, filters and tests whose first argument is looked for, and one whose argument is never part of a prompt.
const SEARCHES: [&str; 20] = [
    "split",
    "rsplit",
    "replace",
    "startswith",
    "endswith",
    "find",
    "rfind",
    "index",
    "rindex",
    "partition",
    "rpartition",
    "count",
    "strip",
    "lstrip",
    "rstrip",
    "removeprefix",
    "removesuffix",
    "eq",
    "equalto",
    "raise_exception",
];
/// Words that are no names of functions where a bracket follows.
const KEYWORDS: [&str; 9] = ["in", "not", "and", "or", "if", "else", "is", "set", "for"];

/// A template's source without its comments, and with the escapes of its texts resolved.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub text: String,
    /// Where texts stand that the template looks for in a message.
    searched: Vec<Range<usize>>,
    /// Where texts stand that are not printed for another reason: compared, in lists to be looked through, in conditions.
    silent: Vec<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// A text without its quotes.
    Text(&'a str),
    Operator(&'a str),
}

/// A bracket that is open.
struct Open<'a> {
    bracket: &'a str,
    /// The function that is called.
    call: Option<&'a str>,
    /// Arguments that are over.
    arguments: usize,
    /// Whether something is looked for in what the bracket holds.
    compared: bool,
}

/// How a token is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Printed,
    Searched,
    Silent,
}

impl Source {
    pub fn new(source: &str) -> Self {
        let plain = without_comments(source);
        let mut found = Self::default();
        // Variables that are set to one text, with its place; and variables that are printed.
        let (mut set, mut printed) = (Vec::new(), Vec::new());
        let mut rest = plain.as_str();
        while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
            let (data, tag) = rest.split_at(at);
            found.text += &resolved(data);
            let (tokens, end) = tokens(&tag[2..]);
            let is_statement = tag.starts_with("{%");
            let uses = uses(&tokens, is_statement);
            let mut behind = &tag[..2 + end];
            for (at, (token, used)) in tokens.iter().zip(uses).enumerate() {
                match token {
                    // The name that a statement sets is not used by it.
                    Token::Word(_) if at == 1 && tokens[0] == Token::Word("set") => {}
                    Token::Word(word) if used == Use::Printed => printed.push(*word),
                    Token::Text(text) => {
                        let start = text.as_ptr() as usize - behind.as_ptr() as usize;
                        found.text += &resolved(&behind[..start]);
                        let begin = found.text.len();
                        found.text += &resolved(text);
                        behind = &behind[start + text.len()..];
                        let place = begin..found.text.len();
                        match (used, tokens.as_slice()) {
                            (Use::Searched, _) => found.searched.push(place),
                            (Use::Silent, _) => found.silent.push(place),
                            (_, [Token::Word("set"), Token::Word(name), Token::Operator("="), _]) => {
                                set.push((*name, place))
                            }
                            _ => {}
                        }
                    }
                    _ => {}
                }
            }
            found.text += &resolved(behind);
            rest = &tag[2 + end..];
        }
        found.text += &resolved(rest);
        found.silent.extend(set.into_iter().filter(|(name, _)| !printed.contains(name)).map(|(_, place)| place));
        found
    }

    /// Where `text` stands and is not what the template looks for in a message.
    pub fn places<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        let holds = |at: usize| move |place: &Range<usize>| place.contains(&at);
        self.text.match_indices(text).map(|(at, _)| at).filter(move |at| !self.searched.iter().any(holds(*at)))
    }

    /// Where `text` stands as a part of prompts, and is not spoken of in a sentence.
    pub fn printed<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.places(text).filter(move |at| {
            let is_silent = self.silent.iter().any(|place| place.contains(at));
            !is_silent && !is_in_a_sentence(&self.text[..*at], &self.text[at + text.len()..])
        })
    }
}

fn without_comments(source: &str) -> String {
    let mut plain = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once("{#") {
        plain.push_str(before);
        rest = comment.split_once("#}").map_or("", |(_, behind)| behind);
    }
    plain + rest
}

fn resolved(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'")
}

/// The tokens of a tag, and the length of its inside.
fn tokens(tag: &str) -> (Vec<Token<'_>>, usize) {
    let (mut tokens, mut at, mut depth) = (Vec::new(), 0, 0_usize);
    while let Some(first) = tag[at..].chars().next() {
        let rest = &tag[at..];
        if rest.starts_with("%}") || depth == 0 && rest.starts_with("}}") {
            break;
        }
        let mut len = first.len_utf8();
        if first == '\'' || first == '"' {
            let mut escaped = false;
            let ends = |c: char| {
                let end = c == first && !escaped;
                escaped = c == '\\' && !escaped;
                end
            };
            let inside = rest[1..].find(ends).unwrap_or(rest.len() - 1);
            tokens.push(Token::Text(&rest[1..=inside]));
            len = (inside + 2).min(rest.len());
        } else if first.is_alphanumeric() || first == '_' {
            len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token::Word(&rest[..len]));
        } else if !first.is_whitespace()
            && !(first == '-' && (at == 0 || rest.starts_with("-%}") || rest.starts_with("-}}")))
        {
            len += usize::from(rest.starts_with("==") || rest.starts_with("!="));
            tokens.push(Token::Operator(&rest[..len]));
            match first {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        at += len;
    }
    (tokens, at)
}

/// How each token of a tag is used.
fn uses(tokens: &[Token<'_>], is_statement: bool) -> Vec<Use> {
    let prints = !is_statement || matches!(tokens.first(), Some(Token::Word("set" | "call" | "filter")));
    let compares =
        |token: Option<&Token<'_>>| matches!(token, Some(Token::Operator("==" | "!=") | Token::Word("in" | "not")));
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut uses = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| tokens[before]);
        let behind = tokens[at + 1..].iter().find(|token| **token != Token::Operator(")"));
        let is_searched = compares(behind) && matches!(behind, Some(Token::Word(_)))
            || open.iter().any(|open| open.arguments == 0 && open.call.is_some_and(|name| SEARCHES.contains(&name)));
        let is_compared = compares(before.as_ref()) || compares(behind) || open.iter().any(|open| open.compared);
        let is_listed = is_statement && open.iter().any(|open| open.bracket == "[");
        uses.push(match () {
            () if is_searched => Use::Searched,
            () if is_compared || is_listed || !prints => Use::Silent,
            () => Use::Printed,
        });
        match token {
            Token::Operator(bracket @ ("(" | "[" | "{")) => {
                let call = match before {
                    Some(Token::Word(name)) if *bracket == "(" && !KEYWORDS.contains(&name) => Some(name),
                    _ => None,
                };
                open.push(Open { bracket, call, arguments: 0, compared: compares(before.as_ref()) });
            }
            Token::Operator(")" | "]" | "}") => drop(open.pop()),
            Token::Operator(",") => open.last_mut().into_iter().for_each(|open| open.arguments += 1),
            _ => {}
        }
    }
    uses
}

/// Whether a marker between these texts is spoken of: `Never write X or Y.`
fn is_in_a_sentence(before: &str, behind: &str) -> bool {
    let quotes: &[char] = &['\'', '"', '`', '(', ')'];
    let Some(before) = before.trim_end_matches('<').trim_end_matches(quotes).strip_suffix(' ') else { return false };
    let mut words = before.rsplit(' ').map(|word| word.trim_end_matches(','));
    let is_word =
        |word: Option<&str>| word.is_some_and(|word| !word.is_empty() && word.chars().all(char::is_alphabetic));
    let follows_comma = before.ends_with(',');
    if !follows_comma && !is_word(words.next()) {
        return false;
    }
    let behind = behind.trim_start_matches('>').trim_start_matches(quotes);
    let ends = behind.starts_with('\n') || ["", "}}", "-}", "{%"].contains(&behind.trim_start().get(..2).unwrap_or(""));
    let goes_on = behind.strip_prefix(' ').is_some_and(|behind| behind.starts_with(char::is_alphabetic));
    let stops =
        behind.strip_prefix(['.', ',', ';', '!', '?']).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    goes_on || stops || !follows_comma && is_word(words.next()) && ends
}
