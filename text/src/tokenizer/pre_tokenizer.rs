//! Pre-tokenizers by name: how a byte-level vocabulary in a GGUF file splits text into words before it merges.
//!
//! GGUF names them in `tokenizer.ggml.pre`. The names are llama.cpp's, which the files carry; how each splits and normalises is
//! as in the models' own `tokenizer.json`, whose patterns stand here as they are written there.

use super::TokenizerError;
use super::normal_forms::Form;
use super::normalize;
use super::pattern::{Finder, Pattern};
use super::split::{self, Behavior};

/// What the names in one row mean.
#[derive(Debug)]
pub(super) struct Row {
    /// Values of `tokenizer.ggml.pre`.
    names: &'static [&'static str],
    /// Applied one after the other, each to the pieces the one before left.
    stages: &'static [Stage],
    /// Whether the text is brought into Unicode's normal form C first.
    nfc: bool,
    /// Whether a word that is a token is taken whole, whatever the merges say (`ignore_merges`).
    pub whole_words: bool,
    /// Whether BOS goes in front when the file does not say.
    pub add_bos: bool,
}

/// A step of splitting.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// What the pattern finds is a piece.
    Cut(&'static str),
    /// Neighbouring finds are one piece.
    Join(&'static str),
    /// From here on the text is spelled in GPT-2's alphabet, to which the patterns behind apply.
    Alphabet,
}

use Stage::{Alphabet, Cut, Join};

/// GPT-2's own pattern, which HF's `ByteLevel` pre-tokenizer has built in.
pub(super) const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const MINICPM5: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const SEED_CODER: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
const EXAONE_MOE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+";
const BAILING: &str =
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const O200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const YOUTU: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const KIMI: &str = r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const BLOOM: &str = r" ?[^(\s|[.,!?…。，、।۔،])]+";
const CJK: &str = "[一-龥ࠀ-一가-퟿]+";
const CJK_V3: &str = "[一-龥\u{3040}-ゟ゠-ヿ]+";
const DEEPSEEK_V3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;
const DEEPSEEK_LETTERS: &str = r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";
const DEEPSEEK_PUNCTUATION: &str = "\\s?[!-/:-~！-／：-～‘-‟　-。]+";
const YOUTU_CJK: &str = "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u{3040}-ゟ゠-ヿ]+";
/// Punctuation in the sense of HF's pre-tokenizer of that name: of Unicode or of ASCII.
pub(super) const PUNCTUATION: &str = r"[\p{P}$+<=>^`|~]";
/// Characters that are numeric.
pub(super) const NUMERIC: &str = r"\p{N}";

/// What most rows say.
const PLAIN: Row = Row { names: &[], stages: &[], nfc: false, whole_words: false, add_bos: false };

const TABLE: &[Row] = &[
    Row {
        names: &[
            "gpt-2",
            "default",
            "phi-2",
            "jina-es",
            "jina-de",
            "jina-v1-en",
            "jina-v2-es",
            "jina-v2-de",
            "jina-v2-code",
            "roberta-bpe",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "exaone4",
            "jais",
            "trillion",
            "granite-docling",
        ],
        stages: &[Cut(GPT2)],
        ..PLAIN
    },
    Row { names: &["olmo", "mpt"], stages: &[Cut(GPT2)], nfc: true, ..PLAIN },
    Row {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        stages: &[Cut(LLAMA3)],
        whole_words: true,
        add_bos: true,
        ..PLAIN
    },
    Row { names: &["chatglm-bpe", "glm4", "dbrx", "smaug-bpe"], stages: &[Cut(LLAMA3)], ..PLAIN },
    Row { names: &["qwen2", "megrez", "kormo", "f2llmv2"], stages: &[Cut(QWEN2)], nfc: true, ..PLAIN },
    Row {
        names: &["deepseek-r1-qwen", "stablelm2", "hunyuan", "solar-open", "grok-2"],
        stages: &[Cut(QWEN2)],
        ..PLAIN
    },
    Row { names: &["qwen35"], stages: &[Cut(QWEN35)], nfc: true, ..PLAIN },
    Row { names: &["laguna"], stages: &[Cut(r"[^\n]+|[\n]+"), Cut(QWEN2)], ..PLAIN },
    Row { names: &["minicpm5"], stages: &[Cut(r"\p{N}{1,3}"), Cut(MINICPM5)], whole_words: true, ..PLAIN },
    Row { names: &["seed-coder"], stages: &[Cut(SEED_CODER)], ..PLAIN },
    Row { names: &["exaone-moe"], stages: &[Cut(EXAONE_MOE)], ..PLAIN },
    Row { names: &["bailingmoe", "bailingmoe2", "llada-moe"], stages: &[Cut(BAILING)], ..PLAIN },
    Row {
        names: &["smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"],
        stages: &[Cut(NUMERIC), Cut(GPT2)],
        ..PLAIN
    },
    Row { names: &["command-r"], stages: &[Cut(NUMERIC), Cut(GPT2)], nfc: true, ..PLAIN },
    Row { names: &["tekken"], stages: &[Cut(TEKKEN)], whole_words: true, add_bos: true, ..PLAIN },
    Row { names: &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], stages: &[Cut(O200K)], ..PLAIN },
    Row { names: &["granite-embed-multi-97m"], stages: &[Cut(O200K)], whole_words: true, ..PLAIN },
    Row { names: &["kimi-k2"], stages: &[Cut(KIMI)], ..PLAIN },
    Row { names: &["youtu"], stages: &[Cut(YOUTU_CJK), Cut(YOUTU)], whole_words: true, ..PLAIN },
    Row { names: &["bloom", "poro-chat", "gpt3-finnish"], stages: &[Cut(BLOOM)], ..PLAIN },
    Row { names: &["viking"], stages: &[Cut(BLOOM), Cut(NUMERIC)], ..PLAIN },
    Row {
        names: &["falcon"],
        stages: &[Join(PUNCTUATION), Cut(GPT2), Alphabet, Join(NUMERIC), Cut("[0-9][0-9][0-9]")],
        ..PLAIN
    },
    Row {
        names: &["deepseek-llm"],
        stages: &[
            Cut(r"[\r\n]"),
            Cut(DEEPSEEK_LETTERS),
            Cut(DEEPSEEK_PUNCTUATION),
            Cut(r"\s+$"),
            Cut(CJK),
            Cut(NUMERIC),
        ],
        ..PLAIN
    },
    Row {
        names: &["deepseek-coder"],
        stages: &[Cut(r"[\r\n]"), Cut(r"\s?\p{L}+"), Cut(r"\s?\p{P}+"), Cut(CJK), Cut(NUMERIC)],
        ..PLAIN
    },
    Row {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm"],
        stages: &[Cut(r"\p{N}{1,3}"), Cut(CJK_V3), Cut(DEEPSEEK_V3)],
        ..PLAIN
    },
    Row {
        names: &["chameleon"],
        stages: &[
            Cut(r"<sentinel:[0-9]+>"),
            Cut(r"(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"),
            Cut(r"([\t\n]|    |  )"),
            Cut(NUMERIC),
            Cut(PUNCTUATION),
            Cut(GPT2),
        ],
        add_bos: true,
        ..PLAIN
    },
];

/// All names in the table.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|row| row.names.iter().copied())
}

/// The row of a pre-tokenizer; files from before the key existed are split as GPT-2 does.
pub(super) fn row(name: Option<&str>) -> Result<&'static Row, TokenizerError> {
    let name = name.filter(|name| !name.is_empty()).unwrap_or("default");
    TABLE
        .iter()
        .find(|row| row.names.contains(&name))
        .ok_or_else(|| TokenizerError::UnknownPreTokenizer(name.to_owned()))
}

/// A step of splitting, as a `tokenizer.json` has it.
#[cfg(feature = "hf")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FoundStage {
    /// What the pattern finds is a piece.
    Cut(String),
    /// Neighbouring finds are one piece.
    Join(String),
    /// GPT-2's alphabet.
    Alphabet,
    /// Anything else, which no row has.
    Other,
}

#[cfg(feature = "hf")]
impl FoundStage {
    fn is(&self, stage: &Stage) -> bool {
        match (self, stage) {
            (Self::Cut(found), Cut(pattern)) | (Self::Join(found), Join(pattern)) => {
                unescaped(found) == unescaped(pattern)
            }
            (Self::Alphabet, Alphabet) => true,
            _ => false,
        }
    }
}

/// A pattern with `\uXXXX` as the character and without `\` before quotes, which files write in either way.
#[cfg(feature = "hf")]
fn unescaped(pattern: &str) -> String {
    let pattern = pattern.replace("\\\"", "\"");
    let mut parts = pattern.split("\\u");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        match code {
            Some(c) => {
                plain.push(c);
                plain.push_str(&part[4..]);
            }
            None => plain.extend(["\\u", part]),
        }
    }
    plain
}

/// The first name of a way of splitting, best one that says the same about the normal form: llama.cpp, for which the name is written, never
/// makes one.
#[cfg(feature = "hf")]
pub(super) fn name_of(stages: &[FoundStage], nfc: bool, whole_words: bool) -> Option<&'static str> {
    let splits = |row: &&Row| {
        let same =
            row.stages.len() == stages.len() && stages.iter().zip(row.stages).all(|(found, stage)| found.is(stage));
        same && row.whole_words == whole_words
    };
    let rows = || TABLE.iter().filter(splits);
    rows().find(|row| row.nfc == nfc).or_else(|| rows().next())?.names.first().copied()
}

impl Row {
    /// What happens to a text before it is split.
    pub fn normalizer(&self) -> Vec<normalize::Step> {
        if self.nfc { vec![normalize::Step::Form(Form::Nfc)] } else { Vec::new() }
    }

    /// How it is split.
    pub fn steps(&self) -> Result<Vec<split::Step>, TokenizerError> {
        let step = |stage: &Stage| match *stage {
            Cut(pattern) => cut(pattern, Behavior::Isolated),
            Join(pattern) => cut(pattern, Behavior::Contiguous),
            Alphabet => Ok(split::Step::Alphabet),
        };
        self.stages.iter().map(step).collect()
    }

    /// Whether words reach the model in GPT-2's alphabet, and not as bytes.
    pub fn in_alphabet(&self) -> bool {
        self.stages.iter().any(|stage| matches!(stage, Alphabet))
    }
}

/// A step that cuts at a pattern.
pub(super) fn cut(pattern: &str, behavior: Behavior) -> Result<split::Step, TokenizerError> {
    Ok(split::Step::Cut { finder: regex(pattern)?, behavior, invert: false })
}

/// A pattern, compiled.
pub(super) fn regex(pattern: &str) -> Result<Finder, TokenizerError> {
    Ok(Finder::Regex(Box::new(Pattern::new(pattern).map_err(TokenizerError::pattern(pattern))?)))
}
