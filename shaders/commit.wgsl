// Last step of sampling: hands the chosen tokens on. Writes them to the ring, counts them in the history, makes them the next
// step's rows, and ends the rows that have reached a stop token or their limit, or for which no token could be chosen. Rows
// of sequences that say so (HOLD) are held then, until the CPU writes them anew. Every step counts, whatever is in it: its number
// says where in the ring its tokens are.
//
// Rows that verify a draft (VERIFY) hold consecutive tokens of one sequence, the last that stands and then the drafted ones. What is
// chosen for the k-th of them goes to the ring as if it were of step + k; nothing else of the sequence moves, and the rows end:
// the CPU keeps the drafted tokens that are what was chosen, and goes on from there.
//
// chosen: [rows]; stops: [sequences, STOP_WORDS] = a count, then token ids; ring: [sequences, RING], by step;
// recent: [sequences, RECENT] tokens, by position.
// Dispatch: one invocation for the whole batch. Rows are few, and whether any is left must be decided once.

override RING: u32;
override RECENT: u32;
override STOP_WORDS: u32;
override ROWS: u32;

@compute @workgroup_size(1)
fn main() {
    var live = 0u;
    for (var r = 0u; r < min(batch.count, ROWS); r++) {
        let row = batch.rows[r];
        if (row.flags & FINISHED) != 0u {
            continue;
        }
        if (row.flags & HELD) != 0u {
            live += 1u;
            continue;
        }
        let token = chosen[r];
        ring[row.sequence * RING + (batch.step + place_in_draft(r)) % RING] = token;
        if token == NO_TOKEN || (row.flags & VERIFY) != 0u {
            batch.rows[r].flags = row.flags | FINISHED;
            continue;
        }
        let s = params[row.sequence];
        let position = row.position + 1u;
        let past = history[row.sequence * VOCAB + token];
        history[row.sequence * VOCAB + token] = past + select(0u, 1u, (past & TIMES) < TIMES);
        recent[row.sequence * RECENT + position % RECENT] = token;
        batch.rows[r].token = token;
        batch.rows[r].position = position;
        if is_stop(row.sequence, token) || (s.limit > 0u && position >= s.limit) {
            batch.rows[r].flags = row.flags | FINISHED;
            continue;
        }
        live += 1u;
        if (s.flags & HOLD) != 0u {
            batch.rows[r].flags = row.flags | HELD;
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
