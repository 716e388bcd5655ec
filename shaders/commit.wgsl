// Last step of sampling: hands the chosen tokens on. Writes them to the ring, counts them in the history, makes them the next
// step's rows, and ends the rows that have reached a stop token or their limit, or for which no token could be chosen.
//
// chosen: [rows]; stops: [sequences, STOP_WORDS] = a count, then token ids; ring: [sequences, RING], by step.
// Dispatch: one invocation for the whole batch. Rows are few, and whether any is left must be decided once.

@group(0) @binding(0) var<storage, read_write> batch: Batch;
@group(0) @binding(1) var<storage, read> chosen: array<u32>;
@group(0) @binding(2) var<storage, read> sampling: array<Sampling>;
@group(0) @binding(3) var<storage, read> stops: array<u32>;
@group(0) @binding(4) var<storage, read_write> history: array<u32>;
@group(0) @binding(5) var<storage, read_write> ring: array<u32>;

override RING: u32;
override STOP_WORDS: u32;
override ROWS: u32;

@compute @workgroup_size(1)
fn main() {
    if batch.count == 0u {
        return;
    }
    var live = 0u;
    for (var r = 0u; r < min(batch.count, ROWS); r++) {
        let row = batch.rows[r];
        if (row.flags & FINISHED) != 0u {
            continue;
        }
        let token = chosen[r];
        let position = row.position + 1u;
        let limit = sampling[row.sequence].limit;
        ring[row.sequence * RING + batch.step % RING] = token;
        if token == NO_TOKEN {
            batch.rows[r].flags = row.flags | FINISHED;
            continue;
        }
        let past = history[row.sequence * VOCAB + token];
        history[row.sequence * VOCAB + token] = past + select(0u, 1u, (past & 0xffffu) < 0xffffu);
        batch.rows[r].token = token;
        batch.rows[r].position = position;
        if is_stop(row.sequence, token) || (limit > 0u && position >= limit) {
            batch.rows[r].flags = row.flags | FINISHED;
        } else {
            live += 1u;
        }
    }
    batch.step += 1u;
    if live == 0u {
        batch.count = 0u;
    }
}

fn is_stop(sequence: u32, token: u32) -> bool {
    let first = sequence * STOP_WORDS;
    let count = min(stops[first], STOP_WORDS - 1u);
    for (var i = 1u; i <= count; i++) {
        if stops[first + i] == token {
            return true;
        }
    }
    return false;
}
