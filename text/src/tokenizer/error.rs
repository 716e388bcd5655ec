//! What can be wrong with a vocabulary.

use inglenook_format::gguf::GgufError;
use inglenook_format::near;

/// Why a tokenizer could not be built. Encoding and decoding themselves cannot fail.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A metadata key is missing or has another type.
    #[error("the file's tokenizer metadata cannot be read: {0}")]
    Metadata(GgufError),
    /// `tokenizer.ggml.model` names a kind of tokenizer that is not built in.
    #[error(
        "tokenizer kind \"{0}\" is not supported{near}; supported are gpt2, llama, t5, bert and gemma4: use the model's tokenizer.json, or \
         another model",
        near = near::told(.0, super::gguf::MODELS)
    )]
    UnknownModel(String),
    /// `tokenizer.ggml.pre` names a way of splitting words that is not known.
    #[error(
        "pre-tokenizer \"{0}\" is not known{near}, so the text would be split wrongly; a newer version of inglenook may know it",
        near = near::told(.0, super::pre_tokenizer::names())
    )]
    UnknownPreTokenizer(String),
    /// The vocabulary has no tokens.
    #[error("the vocabulary is empty; the file is damaged or is no language model")]
    Empty,
    /// The vocabulary has more tokens than ids can number.
    #[error("the vocabulary has {0} tokens, more than {max} are not supported", max = super::MAX_TOKENS)]
    TooManyTokens(usize),
    /// An array beside the tokens has another length than the tokens.
    #[error("{key} has {found} entries for {expected} tokens; the file is damaged")]
    LengthMismatch {
        /// The metadata key of the array.
        key: &'static str,
        /// Its length.
        found: usize,
        /// The number of tokens.
        expected: usize,
    },
    /// A token's type is none of the six known ones.
    #[error("token {id} has the unknown type {kind}; the file is damaged")]
    BadTokenType {
        /// The token's id.
        id: usize,
        /// The number found.
        kind: i32,
    },
    /// A byte token is not spelled `<0xNN>`, or two stand for the same byte.
    #[error(
        "token {id} is a byte token but its text is {text:?}, not a new one of the form <0xNN>; the file is damaged"
    )]
    BadByteToken {
        /// The token's id.
        id: usize,
        /// Its text.
        text: String,
    },
    /// A token's score is not a number.
    #[error("the score of token {0} is not a number; the file is damaged")]
    BadScore(usize),
    /// A merge is not two texts with a space between.
    #[error("merge {index} is {text:?}, not two tokens with a space between; the file is damaged")]
    BadMerge {
        /// Its place in the list.
        index: usize,
        /// What stands there.
        text: String,
    },
    /// A merge names a text that is no token.
    #[error("merge {index} names {token:?}, which is not in the vocabulary; the file is damaged")]
    UnknownMergeToken {
        /// Its place in the list.
        index: usize,
        /// The text that is missing.
        token: String,
    },
    /// Every token is typed as a special one, so that no text could be written.
    #[error("tokenizer.ggml.token_type has no token of text; the file is damaged")]
    NoText,
    /// A special token's id is outside the vocabulary.
    #[error("{key} is {id}, but the vocabulary has {size} tokens; the file is damaged")]
    IdOutOfRange {
        /// The metadata key.
        key: &'static str,
        /// The id found.
        id: u32,
        /// The number of tokens.
        size: usize,
    },
    /// `add_bos_token` or `add_eos_token` asks for a token that is not named.
    #[error("{wanted} is true, but {key} is missing; the file is damaged")]
    MissingId {
        /// The flag that asks for the token.
        wanted: &'static str,
        /// The key that should name it.
        key: &'static str,
    },
    /// A special token is so long that looking for it would make encoding slow.
    #[error("special token {id} is {len} bytes long, more than {max}; the file is damaged", max = super::added::MAX_BYTES)]
    SpecialTooLong {
        /// The token's id.
        id: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// A token is so long that comparing it with a text would make encoding slow.
    #[error("token {id} is {len} bytes long, more than {max}; the file is damaged")]
    TokenTooLong {
        /// The token's id.
        id: usize,
        /// Its length in bytes.
        len: usize,
        /// The longest that is supported.
        max: usize,
    },
    /// A regular expression cannot be run in linear time, or is not understood.
    #[error("the pattern {pattern:?} cannot be used: it has {reason}; the text would be split wrongly without it")]
    Pattern {
        /// The pattern, or its beginning.
        pattern: String,
        /// What of it is the matter.
        reason: String,
    },
    /// A part of the tokenizer is of a kind that is not built in.
    #[error("{part} \"{name}\" is not supported; the text would be encoded wrongly without it")]
    Unsupported {
        /// Which part: "the normalizer", "the decoder", …
        part: &'static str,
        /// What the file calls it.
        name: String,
    },
    /// A file is not what it should be.
    #[error("{file} cannot be read: {problem}")]
    BadFile {
        /// "tokenizer.json", "tokenizer_config.json" or "tokenizer.model".
        file: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The precompiled character map is damaged.
    #[error("the precompiled character map is damaged")]
    BadCharsmap,
    /// The ids of a `tokenizer.json` leave too many numbers out.
    #[error("the largest token id is {largest}, for {count} tokens; the file is damaged")]
    SparseIds {
        /// The largest id.
        largest: u32,
        /// How many tokens there are.
        count: usize,
    },
    /// Two tokens have the same id.
    #[error("token {id} is both {first:?} and {second:?}; the file is damaged")]
    SameId {
        /// The id.
        id: u32,
        /// One token.
        first: String,
        /// The other.
        second: String,
    },
    /// A token that another part of the file names is not in the vocabulary.
    #[error("{part} names {token:?}, which is not in the vocabulary; the file is damaged")]
    MissingToken {
        /// Which part names it.
        part: &'static str,
        /// The token.
        token: String,
    },
}

/// Not by `#[from]`: the cause is part of the message, and would be told twice.
impl From<GgufError> for TokenizerError {
    fn from(error: GgufError) -> Self {
        Self::Metadata(error)
    }
}

impl TokenizerError {
    /// Whether the file is sound, and only asks for what is not built in.
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self,
            Self::UnknownModel(_) | Self::UnknownPreTokenizer(_) | Self::Unsupported { .. } | Self::Pattern { .. }
        )
    }

    /// Makes an error of the reason why `pattern` cannot be used.
    pub(super) fn pattern(pattern: &str) -> impl FnOnce(String) -> Self {
        let shown: String = pattern.chars().take(200).collect();
        move |reason| Self::Pattern { pattern: shown, reason }
    }
}
