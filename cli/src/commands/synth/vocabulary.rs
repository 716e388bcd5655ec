//! A valid byte-level vocabulary of any size: every byte, every pair of small letters, and names without a meaning.

use inglenook::format::gguf::write::GgufWriter;
use inglenook::format::gguf::{Array, Strings, Value};

/// GGUF's numbers for kinds of tokens.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;

const TEMPLATE: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
    {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Adds a tokenizer of `size` tokens, which must be 1024 or more, and a chat template.
pub fn describe(writer: &mut GgufWriter, size: u32) {
    let merges: Vec<String> = pairs().map(|(a, b)| format!("{a} {b}")).collect();
    let controls = ["<|im_start|>", "<|im_end|>"].map(str::to_string);
    let named = (0u8..=255).map(|byte| letter(byte).to_string()).chain(pairs().map(|(a, b)| format!("{a}{b}")));
    let fillers = (0..).map(|index| format!("filler{index}"));
    let normal = size as usize - controls.len();
    let tokens: Strings = named.chain(fillers).take(normal).chain(controls).collect();
    let kinds = (0..tokens.len()).map(|id| if id < normal { NORMAL } else { CONTROL }).collect();
    writer
        .entry("tokenizer.ggml.model", "gpt2")
        .entry("tokenizer.ggml.pre", "qwen2")
        .entry("tokenizer.ggml.tokens", tokens)
        .entry("tokenizer.ggml.token_type", Value::Array(Array::I32(kinds)))
        .entry("tokenizer.ggml.merges", merges.iter().collect::<Strings>())
        .entry("tokenizer.ggml.eos_token_id", size - 1)
        .entry("tokenizer.ggml.add_bos_token", false)
        .entry("tokenizer.chat_template", TEMPLATE);
}

fn pairs() -> impl Iterator<Item = (char, char)> {
    ('a'..='z').flat_map(|a| ('a'..='z').map(move |b| (a, b)))
}

/// The character that stands for a byte in byte-level vocabularies (GPT-2's `bytes_to_unicode`): itself where it is
/// printable in Latin-1, else the next one from U+0100 on.
fn letter(byte: u8) -> char {
    let printable = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    if printable(byte) {
        return byte.into();
    }
    let before = (0..byte).filter(|&other| !printable(other)).count() as u32;
    char::from_u32(256 + before).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use inglenook::format::gguf::Gguf;
    use inglenook::source::Memory;
    use inglenook::text::{Special, Tokenizer};

    use super::*;

    #[test]
    fn the_tokenizer_reads_it_and_spells_every_text() {
        let mut writer = GgufWriter::new();
        describe(&mut writer, 1024);
        let file = writer.start(Vec::new()).unwrap().finish().unwrap();
        let gguf = pollster::block_on(Gguf::read(&Memory(file))).unwrap();
        let tokenizer = Tokenizer::from_gguf(&gguf.metadata).unwrap();
        let text = "warm fire, 17 + 25\n\u{0}ß€🔥";
        let ids = tokenizer.encode(text, Special::AsText, false);
        assert_eq!(tokenizer.decode(&ids), text);
        assert_eq!(tokenizer.encode("fire", Special::AsText, false).len(), 2);
        assert_eq!(tokenizer.vocab_size(), 1024);
        assert_eq!(tokenizer.stop_ids(), [1023]);
    }
}
