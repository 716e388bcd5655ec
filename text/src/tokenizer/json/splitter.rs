//! The `pre_tokenizer` of a `tokenizer.json`.

use serde_json::Value;

use super::super::TokenizerError;
use super::super::pattern::Finder;
use super::super::pre_tokenizer::{GPT2, NUMERIC, PUNCTUATION, cut, regex};
use super::super::split::{Behavior, Prepend, Step, metaspace};
use super::normalizer::finder;
use super::{check_steps, damaged, member, member_or, type_of, unsupported};

const WHITE_SPACE: &str = r"\s";

/// How a text is split.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// The steps.
    pub steps: Vec<Step>,
    /// Whether the model gets bytes: GPT-2's alphabet is the last step, and so need not be written out.
    pub bytes: bool,
}

/// The steps of a pre-tokenizer.
pub(super) fn parse(value: Option<&Value>) -> Result<Splitter, TokenizerError> {
    let mut steps = Vec::new();
    if let Some(value) = value {
        append(value, &mut steps)?;
    }
    let bytes = matches!(steps.last(), Some(Step::Alphabet))
        && steps.iter().filter(|step| matches!(step, Step::Alphabet)).count() == 1;
    if bytes {
        steps.pop();
    }
    Ok(Splitter { steps, bytes })
}

fn append(value: &Value, steps: &mut Vec<Step>) -> Result<(), TokenizerError> {
    match type_of(value) {
        "Sequence" => {
            let parts: Vec<Value> = member(value, "pretokenizers")?;
            for part in &parts {
                append(part, steps)?;
                check_steps("pre-tokenizer", steps.len())?;
            }
        }
        "ByteLevel" => {
            if member_or(value, "add_prefix_space", true)? {
                steps.push(Step::SpacePrefix);
            }
            if member_or(value, "use_regex", true)? {
                steps.push(cut(GPT2, Behavior::Isolated)?);
            }
            steps.push(Step::Alphabet);
        }
        "Split" => {
            let invert = member_or(value, "invert", false)?;
            steps.push(Step::Cut { finder: finder(value)?, behavior: behavior(member(value, "behavior")?)?, invert });
        }
        "Whitespace" => {
            let finder = regex(r"\w+|[^\w\s]+")?;
            steps.push(Step::Cut { finder, behavior: Behavior::Removed, invert: true });
        }
        "WhitespaceSplit" => steps.push(cut(WHITE_SPACE, Behavior::Removed)?),
        "BertPreTokenizer" => steps.extend(bert()?),
        "Metaspace" => {
            let mark: char = member_or(value, "replacement", '\u{2581}')?;
            // Older files say whether there is a space in front, and not where.
            let adds: bool = member_or(value, "add_prefix_space", true)?;
            let prepend = match member_or(value, "prepend_scheme", if adds { "always" } else { "never" })? {
                "always" => Prepend::Always,
                "first" => Prepend::First,
                "never" => Prepend::Never,
                other => return Err(damaged(format!("prepend_scheme {other:?}"))),
            };
            steps.extend(metaspace(mark, prepend, member_or(value, "split", true)?));
        }
        "Digits" => {
            let individual = member_or(value, "individual_digits", false)?;
            steps.push(cut(NUMERIC, if individual { Behavior::Isolated } else { Behavior::Contiguous })?);
        }
        "Punctuation" => steps.push(cut(PUNCTUATION, behavior(member_or(value, "behavior", "Isolated")?)?)?),
        "CharDelimiterSplit" => {
            let finder = Finder::Literal(member::<char>(value, "delimiter")?.into());
            steps.push(Step::Cut { finder, behavior: Behavior::Removed, invert: false });
        }
        other => return Err(unsupported("the pre-tokenizer", other)),
    }
    Ok(())
}

/// The steps of `BertPreTokenizer`: words between white space, and each punctuation character by itself.
pub fn bert() -> Result<Vec<Step>, TokenizerError> {
    Ok(vec![cut(WHITE_SPACE, Behavior::Removed)?, cut(PUNCTUATION, Behavior::Isolated)?])
}

fn behavior(name: &str) -> Result<Behavior, TokenizerError> {
    Ok(match name {
        "Removed" => Behavior::Removed,
        "Isolated" => Behavior::Isolated,
        "MergedWithPrevious" => Behavior::MergedWithPrevious,
        "MergedWithNext" => Behavior::MergedWithNext,
        "Contiguous" => Behavior::Contiguous,
        other => return Err(damaged(format!("the behavior {other:?}"))),
    })
}
