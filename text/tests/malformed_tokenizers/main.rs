//! Vocabularies that lie: each must be refused with an error that says what is wrong, or give a tokenizer that answers, within bounds of time and
//! memory.

mod cases;
mod files;
mod generated;
#[path = "../../../tests/shared/memory_meter.rs"]
mod meter;
mod mutations;
mod seeds;

use std::cell::Cell;
use std::time::{Duration, Instant};

use inglenook_format::gguf::Gguf;
use inglenook_format::source::Memory;
use inglenook_text::{Special, Tokenizer};

/// What loading and a few texts may take. (Milliseconds when optimised; a test machine may be slow and busy.)
const TIME: Duration = Duration::from_secs(2);

/// What a tokenizer may take beside what its file's size explains: tables of automata, mostly.
const ROOM: usize = 16 << 20;

thread_local! {
    /// The longest time and the most memory that a file took.
    static WORST: Cell<(Duration, usize)> = const { Cell::new((Duration::ZERO, 0)) };
}

/// A vocabulary as a file.
#[derive(Clone, Debug)]
enum Vocabulary {
    Json(Vec<u8>),
    SentencePiece(Vec<u8>),
    Gguf(Vec<u8>),
}

impl Vocabulary {
    fn bytes(&self) -> &[u8] {
        let (Vocabulary::Json(bytes) | Vocabulary::SentencePiece(bytes) | Vocabulary::Gguf(bytes)) = self;
        bytes
    }

    fn bytes_mut(&mut self) -> &mut Vec<u8> {
        let (Vocabulary::Json(bytes) | Vocabulary::SentencePiece(bytes) | Vocabulary::Gguf(bytes)) = self;
        bytes
    }

    /// Loads it. An error comes as its message.
    fn load(&self) -> Result<Tokenizer, String> {
        match self {
            Vocabulary::Json(bytes) => Tokenizer::from_json(bytes, None).map_err(|error| error.to_string()),
            Vocabulary::SentencePiece(bytes) => Tokenizer::from_sentencepiece(bytes).map_err(|error| error.to_string()),
            Vocabulary::Gguf(bytes) => {
                let gguf = pollster::block_on(Gguf::read(&Memory(bytes.clone()))).map_err(|error| error.to_string())?;
                Tokenizer::from_gguf(&gguf.metadata).map_err(|error| error.to_string())
            }
        }
    }
}

/// What every tokenizer is asked.
const TEXTS: [&str; 4] = [
    "Hello  world 12345 <s>é</s>\n\n ▁x",
    "😀👩\u{200d}👧 \u{301}\0字 don't",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b",
    "",
];

/// Loads a vocabulary and asks it, within the limits.
fn try_out(vocabulary: &Vocabulary) -> Result<(), String> {
    for _ in 0..5 {
        let start = Instant::now();
        let (result, peak) = meter::peak(|| vocabulary.load().map(|tokenizer| ask(&tokenizer)));
        let (took, file) = (start.elapsed(), vocabulary.bytes().len());
        // A GGUF file is held twice: as it is, and as what was read.
        assert!(peak <= 24 * file + ROOM, "{peak} bytes of memory for a file of {file}: {result:?}");
        if took <= TIME {
            let (time, bytes) = WORST.get();
            WORST.set((time.max(took), bytes.max(peak)));
            return result;
        }
    }
    panic!("took over {TIME:?} five times: {}", String::from_utf8_lossy(vocabulary.bytes()));
}

/// What must hold of every tokenizer, whatever its file said.
fn ask(tokenizer: &Tokenizer) {
    for text in TEXTS {
        for special in [Special::Parse, Special::AsText] {
            let ids = tokenizer.encode(text, special, false);
            assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
            let offsets = tokenizer.encode_with_offsets(text, special);
            assert!(offsets.iter().map(|(id, _)| *id).eq(ids.iter().copied()));
            for (_, range) in &offsets {
                assert!(text.get(range.clone()).is_some(), "{range:?} of {text:?}");
            }
            tokenizer.decode(&ids);
        }
        assert!(tokenizer.encode_whole(text, Special::AsText).len() >= tokenizer.count_tokens(text));
    }
    let all: Vec<u32> = (0..200).chain([u32::MAX]).collect();
    tokenizer.decode(&all);
    assert!(tokenizer.stop_ids().iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
}
