//! Tokenizers against the references, over files: the same comparison natively and in browsers.

use std::sync::Arc;

use inglenook_format::gguf::Gguf;
use inglenook_format::source::Memory;
use inglenook_text::{Special, StreamDecoder, Tokenizer, TokenizerError};

/// How a vocabulary is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VocabularyFile {
    /// A GGUF file's metadata.
    Gguf,
    /// `tokenizer.json`.
    Json,
    /// SentencePiece's `tokenizer.model`.
    SentencePiece,
}

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many strings were compared.
    pub compared: usize,
    /// How many of them came out otherwise.
    pub wrong: usize,
    /// The first of those, with what was found.
    pub first: Vec<String>,
}

/// As many wrong strings are told.
const TOLD: usize = 5;

/// Between the parts of what is summed.
const END: [u8; 4] = [0xff; 4];

/// Reads a vocabulary.
///
/// # Errors
/// The file cannot be read, or is no vocabulary.
pub async fn read_vocabulary(bytes: &[u8], kind: VocabularyFile) -> Result<Tokenizer, String> {
    let told = |error: TokenizerError| error.to_string();
    match kind {
        VocabularyFile::Json => Tokenizer::from_json(bytes, None).map_err(told),
        VocabularyFile::SentencePiece => Tokenizer::from_sentencepiece(bytes).map_err(told),
        VocabularyFile::Gguf => {
            let gguf = Gguf::read(&Memory(bytes.to_vec())).await.map_err(|error| error.to_string())?;
            Tokenizer::from_gguf(&gguf.metadata).map_err(told)
        }
    }
}

/// Compares what `tokenizer` makes of each `step`-th string with the references' answers.
///
/// `strings` holds a JSON string a line, `checksums` a little-endian CRC-32 a string: of the ids with names of special tokens taken
/// as text, of the ids of the whole text with special tokens, and of what the first decode to (ids as little-endian u32, a word of ones
/// between the parts). Streamed decoding is compared with whole decoding, too.
///
/// # Errors
/// The files cannot be read, or have different lengths.
pub fn compare(
    tokenizer: &Arc<Tokenizer>,
    strings: &[u8],
    checksums: &[u8],
    step: usize,
) -> Result<Comparison, String> {
    let lines: Vec<&[u8]> = strings.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    if checksums.len() != 4 * lines.len() {
        return Err(format!("{} bytes of checksums for {} strings", checksums.len(), lines.len()));
    }
    let mut comparison = Comparison::default();
    for (line, expected) in lines.into_iter().zip(checksums.chunks_exact(4)).step_by(step.max(1)) {
        let text: String = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let ids = tokenizer.encode(&text, Special::AsText, false);
        let whole = tokenizer.encode_whole(&text, Special::Parse);
        let decoded = tokenizer.decode(&ids);
        let bytes = |ids: &[u32]| ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>();
        let sum = crc32(&[&bytes(&ids)[..], &END, &bytes(&whole), &END, decoded.as_bytes()].concat());
        comparison.compared += 1;
        let streamed = streamed(tokenizer, &ids);
        if sum.to_le_bytes() == expected && streamed == decoded {
            continue;
        }
        comparison.wrong += 1;
        if comparison.first.len() < TOLD {
            let told = format!("{text:?}: {ids:?}, whole {whole:?}, decoded {decoded:?}, streamed {streamed:?}");
            comparison.first.push(told);
        }
    }
    Ok(comparison)
}

fn streamed(tokenizer: &Arc<Tokenizer>, ids: &[u32]) -> String {
    let mut decoder = StreamDecoder::new(tokenizer.clone());
    let mut text: String = ids.iter().map(|&id| decoder.push(id)).collect();
    text.push_str(&decoder.flush());
    text
}

/// The CRC-32 of zip and PNG (reflected polynomial 0xedb88320).
fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(byte as u32, |value, _| if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 })
    });
    !bytes.iter().fold(!0, |sum: u32, &byte| table[usize::from(sum as u8 ^ byte)] ^ sum >> 8)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    use super::*;

    fn goldens() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/tokenizers")
    }

    /// Compares one file with its checksums. Gives what was wrong.
    fn check(name: &str, file: &str, kind: VocabularyFile, sums: &str, strings: &[u8]) -> Option<String> {
        let read = |file: &str| fs::read(goldens().join(format!("{name}.{file}"))).unwrap();
        let tokenizer = pollster::block_on(read_vocabulary(&read(file), kind))
            .unwrap_or_else(|error| panic!("{name}.{file}: {error}"));
        let Comparison { compared, wrong, first } = compare(&Arc::new(tokenizer), strings, &read(sums), 1).unwrap();
        assert!(compared >= 20_000, "{name}.{file}");
        (wrong > 0).then(|| format!("{name}.{file}: {wrong} of {compared} wrong\n  {}", first.join("\n  ")))
    }

    #[test]
    fn every_family_answers_as_the_references_do_from_each_of_its_files() {
        let only = env::var("INGLENOOK_FAMILY").unwrap_or_default();
        let strings = fs::read(goldens().join("strings.jsonl")).unwrap();
        let mut names: Vec<String> = fs::read_dir(goldens())
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
            .filter(|name| name.contains(&only))
            .collect();
        names.sort();
        assert!(names.len() >= 27 || !only.is_empty(), "{names:?}");
        let wrong: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2)
                .map(|share| {
                    let (names, strings) = (&names, &strings[..]);
                    scope.spawn(move || {
                        let mut wrong = Vec::new();
                        for name in names.iter().skip(share).step_by(2) {
                            let exists = |file: &str| goldens().join(format!("{name}.{file}")).exists();
                            let sums = if exists("model.crc") { "model.crc" } else { "json.crc" };
                            wrong.extend(check(name, "json", VocabularyFile::Json, "json.crc", strings));
                            if exists("gguf") {
                                wrong.extend(check(name, "gguf", VocabularyFile::Gguf, sums, strings));
                            }
                            if exists("model") {
                                wrong.extend(check(name, "model", VocabularyFile::SentencePiece, sums, strings));
                            }
                        }
                        wrong
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
