// Access to the paged key/value cache. Keys and values of a layer are [page, KV_HEADS, PAGE, HEAD_DIM] words: f32, or two
// f16 a word (KV_F16). The including kernel declares `pages: array<u32>`, [sequences, PAGES_PER_SEQUENCE].
override KV_HEADS: u32;
override HEAD_DIM: u32;
override PAGES_PER_SEQUENCE: u32;
override KV_F16: bool;
const PAGE: u32 = 32u;

// True where the row has a place in the cache: a finished row has none, and neither has a position that the table has no
// page for (its entry would be another sequence's).
fn has_place(row: Row) -> bool {
    return !is_finished(row) && row.position / PAGE < PAGES_PER_SEQUENCE;
}

// Word at which the vector of `position` of `head` begins.
fn kv_word(sequence: u32, head: u32, position: u32) -> u32 {
    let page = pages[sequence * PAGES_PER_SEQUENCE + position / PAGE];
    let slot = (page * KV_HEADS + head) * PAGE + position % PAGE;
    return slot * select(HEAD_DIM, HEAD_DIM / 2u, KV_F16);
}
