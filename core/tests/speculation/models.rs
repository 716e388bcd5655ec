//! Models made from ember, with its vocabulary: one that says the same at several times the cost, one that often says something else, and
//! one that says nothing of sense.

use inglenook::format::gguf::write::GgufWriter;
use inglenook::format::gguf::{Gguf, TensorInfo, Value};
use inglenook::source::{Memory, Source};
use pollster::block_on;

use crate::support::EMBER;

/// A tensor's name in the new file, where it comes from, and what becomes of its bytes.
type Part<'a> = (String, &'a TensorInfo, fn(&mut Vec<u8>));

/// Ember with so many times its layers, of which the further ones add nothing to the residual stream.
pub fn deeper(times: u32) -> Vec<u8> {
    let gguf = header();
    let layers = block_count(&gguf);
    let further = (layers..layers * times).flat_map(|layer| parts_of_layer(&gguf, 0, layer));
    let parts = gguf.tensors().iter().map(|tensor| (tensor.name.clone(), tensor, keep as fn(&mut Vec<u8>)));
    write(&gguf, layers * times, parts.chain(further).collect())
}

/// Ember's first layers, without the others.
pub fn shallower(layers: u32) -> Vec<u8> {
    first_layers(layers, keep)
}

/// Ember's first layer, of whose matrices the blocks are in a wrong order.
pub fn shuffled() -> Vec<u8> {
    first_layers(1, shuffle)
}

fn first_layers(layers: u32, change: fn(&mut Vec<u8>)) -> Vec<u8> {
    let gguf = header();
    let is_of = |name: &str, layer: u32| name.starts_with(&format!("blk.{layer}."));
    let part = |tensor: &'_ TensorInfo| match (0..layers).any(|layer| is_of(&tensor.name, layer)) {
        true => Some(change),
        false => (!tensor.name.starts_with("blk.")).then_some(keep as fn(&mut Vec<u8>)),
    };
    let parts = gguf.tensors().iter().filter_map(|tensor| Some((tensor.name.clone(), tensor, part(tensor)?)));
    write(&gguf, layers, parts.collect())
}

fn header() -> Gguf {
    block_on(Gguf::read(&Memory(EMBER))).expect("ember")
}

fn block_count(gguf: &Gguf) -> u32 {
    gguf.tensors().iter().filter(|tensor| tensor.name.ends_with("attn_norm.weight")).count() as u32
}

fn parts_of_layer(gguf: &Gguf, from: u32, to: u32) -> Vec<Part<'_>> {
    let prefix = format!("blk.{from}.");
    let of_layer = |tensor: &'_ TensorInfo| tensor.name.strip_prefix(&prefix).map(|part| format!("blk.{to}.{part}"));
    let change = |name: &str| -> fn(&mut Vec<u8>) {
        if name.contains("attn_output") || name.contains("ffn_down") { |bytes| bytes.fill(0) } else { keep }
    };
    gguf.tensors()
        .iter()
        .filter_map(|tensor| of_layer(tensor).map(|name| (name.clone(), tensor, change(&name))))
        .collect()
}

fn keep(_: &mut Vec<u8>) {}

/// Blocks of Q8_0 are 34 bytes long; vectors of another type are left as they are.
fn shuffle(bytes: &mut Vec<u8>) {
    let mut blocks: Vec<[u8; 34]> = bytes.as_chunks().0.to_vec();
    if blocks.len() * 34 == bytes.len() {
        fastrand::Rng::with_seed(3).shuffle(&mut blocks);
        *bytes = blocks.concat();
    }
}

fn write(gguf: &Gguf, layers: u32, parts: Vec<Part<'_>>) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    for (key, value) in gguf.metadata.iter() {
        let value = if key.ends_with(".block_count") { Value::from(layers) } else { value.clone() };
        writer.entry(key, value);
    }
    for (name, tensor, _) in &parts {
        writer.tensor(name, &tensor.dims, tensor.ty).expect("dimensions that fit the type");
    }
    let mut out = writer.start(Vec::new()).expect("memory takes every byte");
    for (_, tensor, change) in &parts {
        let mut bytes = vec![0; tensor.bytes as usize];
        block_on(Memory(EMBER).read_at(tensor.offset, &mut bytes)).expect("data of a sound file");
        change(&mut bytes);
        out.write(&bytes).expect("data of the declared length");
    }
    out.finish().expect("all data is there")
}
