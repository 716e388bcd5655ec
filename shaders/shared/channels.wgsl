// Vectors of 2 HEAD_DIM channels in the cache, in f32: the first half of a position's in place of its key, the second of its value.

// Word of a channel at a position.
fn channel_word(sequence: u32, position: u32, channel: u32) -> u32 {
    let word = kv_word(sequence, 0u, position);
    return select(value_word(word) + channel - HEAD_DIM, word + channel, channel < HEAD_DIM);
}
