// Access to the paged key/value cache. That of a layer is [page, keys or values, KV_HEADS, PAGE] vectors of KV_WORDS words, each a
// position of a head, in one binding or in segments of whole pages, through which words are counted (core/src/kernels/kv.rs). The
// including kernel declares them, and `pages: array<u32>`, [sequences, PAGES_PER_SEQUENCE].
//
// A vector is HEAD_DIM numbers, then for the quantised types the scales of its blocks of KV_BLOCK numbers, two f16 a word, the
// unused half of the last word 0:
//
//     KV_F32   a number a word
//     KV_F16   two numbers a word, the first in the low half
//     KV_Q8_0  four signed bytes a word, the first lowest; number = byte * scale, scale = max|x| / 127
//     KV_Q4_0  eight nibbles a word, the first lowest; number = (nibble - 8) * scale, scale = x of max|x| / -8
//
// Words of numbers are KV_NUMBER_WORDS. KvShape in core/src/kernels/kv.rs gives all sizes.
override KV_HEADS: u32;
override HEAD_DIM: u32;
override PAGES_PER_SEQUENCE: u32;
override KV_TYPE: u32;
override KV_BLOCK: u32;
override KV_NUMBER_WORDS: u32;
override KV_WORDS: u32;
const PAGE: u32 = 32u;
const KV_F32: u32 = 0u;
const KV_F16: u32 = 1u;
const KV_Q8_0: u32 = 2u;
const KV_Q4_0: u32 = 3u;

// True where the row has a place in the cache: a finished row has none, and neither has a position that the table has no
// page for (its entry would be another sequence's).
fn has_place(row: Row) -> bool {
    return !is_finished(row) && row.position / PAGE < PAGES_PER_SEQUENCE;
}

// Word at which the key of `position` of `head` begins, counted through all segments.
fn kv_word(sequence: u32, head: u32, position: u32) -> u32 {
    let page = pages[sequence * PAGES_PER_SEQUENCE + position / PAGE];
    return ((page * 2u * KV_HEADS + head) * PAGE + position % PAGE) * KV_WORDS;
}

// Word of the value that belongs to a key.
fn value_word(word: u32) -> u32 {
    return word + KV_HEADS * PAGE * KV_WORDS;
}
