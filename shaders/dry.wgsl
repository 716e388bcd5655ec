// Finds the tokens that would make a repetition longer (DRY, "don't repeat yourself"): where the sequence's last tokens stand
// earlier in it, too, the token that came next there. chunk_argmax lowers its logit.
//
// recent: [sequences, RECENT] tokens, by position; breakers: [sequences, MASK_WORDS], a bit set for each token that ends a
// repetition. lengths: [rows, CHUNKS * CHUNK], for each token the longest repetition that it would make longer, as the bits of an
// f32, whose order is that of integers; 0 where there is none.
// Dispatch: one workgroup of LANES a row; rows without such a penalty leave at once. Each lane looks at some of the earlier tokens,
// of which few equal the last.

override LANES: u32;
override RECENT: u32;
override MASK_WORDS: u32;
override LONGEST: u32;  // no repetition counts as longer

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    if row >= batch.count || !is_sampled(batch.rows[row]) {
        return;
    }
    let sequence = batch.rows[row].sequence;
    let s = params[sequence];
    if !(s.dry_multiplier > 0.0) {
        return;
    }
    let found = row * CHUNKS * CHUNK;
    for (var token = lane; token < CHUNKS * CHUNK; token += LANES) {
        atomicStore(&lengths[found + token], 0u);
    }
    storageBarrier();

    let position = batch.rows[row].position;
    let first = position + 1u - min(min(position + 1u, RECENT), s.dry_last_n);
    let last = token_at(row, position);
    if is_breaker(sequence, last) {
        return;
    }
    for (var end = first + lane; end < position; end += LANES) {
        if token_at(row, end) != last {
            continue;
        }
        let next = token_at(row, end + 1u);
        if next >= VOCAB || is_breaker(sequence, next) {
            continue;
        }
        var length = 1u;
        while length < LONGEST && end >= first + length {
            let token = token_at(row, position - length);
            if token_at(row, end - length) != token || is_breaker(sequence, token) {
                break;
            }
            length += 1u;
        }
        atomicMax(&lengths[found + next], bitcast<u32>(f32(length)));
    }
}

// The token at a position of the row's sequence, up to the row's own. What a draft adds is in the batch.
fn token_at(row: u32, position: u32) -> u32 {
    let own = batch.rows[row];
    if (own.flags & VERIFY) != 0u {
        for (var r = 0u; r <= row; r++) {
            let other = batch.rows[r];
            if (other.flags & VERIFY) != 0u && other.sequence == own.sequence && other.position == position {
                return other.token;
            }
        }
    }
    return recent[own.sequence * RECENT + position % RECENT];
}

fn is_breaker(sequence: u32, token: u32) -> bool {
    return token < VOCAB && ((breakers[sequence * MASK_WORDS + token / 32u] >> (token % 32u)) & 1u) == 1u;
}
