//! Matrices that are larger than what may be in memory.

use inglenook_format::hf::{Directory, open};
use inglenook_format::source::{LocalFuture, Memory, Source, SourceError};
use serde_json::json;

use crate::files::config;

#[path = "../../../tests/shared/memory_meter.rs"]
mod memory_meter;

/// A file whose data is computed: 16-bit number `i` is the upper half of `i`'s hash.
struct Computed {
    header: Vec<u8>,
    len: u64,
}

fn number(index: u64) -> u16 {
    (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16
}

impl Source for Computed {
    fn len(&self) -> Option<u64> {
        Some(self.len)
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        let start = self.header.len() as u64;
        for (index, byte) in buf.iter_mut().enumerate() {
            let at = offset + index as u64;
            *byte = match at.checked_sub(start) {
                None => self.header[at as usize],
                Some(data) => number(data / 2).to_le_bytes()[(data % 2) as usize],
            };
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

struct Large;

const HEADS: u64 = 32;
const WIDTH: u64 = 4096;

impl Directory for Large {
    fn open<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Box<dyn Source>>, SourceError>> {
        let mut config = config();
        config["num_attention_heads"] = json!(HEADS);
        let file: Option<Box<dyn Source>> = match name {
            "config.json" => Some(Box::new(Memory(config.to_string().into_bytes()))),
            "model.safetensors" => {
                let bytes = WIDTH * WIDTH * 2;
                let header = json!({ "model.layers.0.self_attn.q_proj.weight":
                    { "dtype": "BF16", "shape": [WIDTH, WIDTH], "data_offsets": [0, bytes] } });
                let header = header.to_string();
                let header = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
                let len = header.len() as u64 + bytes;
                Some(Box::new(Computed { header, len }))
            }
            _ => None,
        };
        Box::pin(std::future::ready(Ok(file)))
    }
}

#[test]
fn memory_stays_small_when_a_large_matrix_is_read_in_pieces() {
    const PIECE: usize = 4 << 20;
    const ROWS: u64 = PIECE as u64 / (WIDTH * 2);
    let model = pollster::block_on(open(&Large)).unwrap();
    let info = model.gguf.tensor("blk.0.attn_q.weight").unwrap();
    let mut raw = vec![0; PIECE];
    let head = WIDTH / HEADS;
    for piece in 0..WIDTH / ROWS {
        let (result, peak) = memory_meter::peak(|| {
            pollster::block_on(model.source.read_at(info.offset + piece * PIECE as u64, &mut raw))
        });
        result.unwrap();
        assert!(peak < 6 << 20, "{peak} bytes beside the piece");
        for row in (0..ROWS).step_by(37) {
            let to = piece * ROWS + row;
            let from = to / head * head + to % head / 2 + to % 2 * head / 2;
            for col in [0, 1, 2047, 4095] {
                let at = ((row * WIDTH + col) * 2) as usize;
                assert_eq!(u16::from_le_bytes([raw[at], raw[at + 1]]), number(from * WIDTH + col), "row {to}");
            }
        }
    }
}
