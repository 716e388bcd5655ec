// What becomes of the dot products of a matmul. A shard of a weight matrix has ROWS rows. Kernels compute rows in *row tiles* of four:
// row tile u is rows 4u..4u+4, or in gated mode gate rows 2u and 2u+1 and the up rows that belong to them, so that whoever
// computes a row tile can finish it alone.
//
// STORE, ADD: out[m, OUT_OFFSET + n] = or += WITH times the sum of row n. CAP: WITH * tanh(sum / WITH). ACTIVATE: act(sum).
// GATED: the first half of the rows are gates, the second half ups; out[m, OUT_OFFSET + n] = act(gate n) * up n.
// In the last two WITH is the activation's number.
override ROWS: u32;
override MODE: u32;
override WITH: f32;
override OUT_STRIDE: u32;
override OUT_OFFSET: u32;

const STORE = 0u;
const ADD = 1u;
const CAP = 2u;
const ACTIVATE = 3u;
const GATED = 4u;

// Outputs of the shard, and how many of them a row tile gives.
fn outputs() -> u32 {
    return select(ROWS, ROWS / 2u, MODE == GATED);
}

fn outputs_per_row_tile() -> u32 {
    return select(4u, 2u, MODE == GATED);
}

fn row_tiles() -> u32 {
    return (outputs() + outputs_per_row_tile() - 1u) / outputs_per_row_tile();
}

// The four rows of a row tile. Those past the end are the last row: loading it again is harmless, and nothing is stored for it.
fn rows_of(row_tile: u32) -> vec4<u32> {
    if MODE == GATED {
        let half = ROWS / 2u;
        let gates = min(vec2<u32>(row_tile * 2u, row_tile * 2u + 1u), vec2<u32>(half - 1u));
        return vec4<u32>(gates, gates + vec2<u32>(half));
    }
    return min(vec4<u32>(row_tile * 4u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(ROWS - 1u));
}

fn put(at: u32, value: f32) {
    if MODE == ADD {
        out[at] += WITH * value;
    } else if MODE == STORE {
        out[at] = WITH * value;
    } else if MODE == CAP {
        // What is no number stays none.
        let is_number = (bitcast<u32>(value) & 0x7fffffffu) < 0x7f800000u;
        out[at] = select(value, WITH * tanh(clamp(value / WITH, -10.0, 10.0)), is_number);
    } else if MODE == ACTIVATE {
        out[at] = activate(value, u32(WITH));
    } else {
        out[at] = value;
    }
}

// Stores the four sums of `row_tile` for row `m` of x.
fn finish(m: u32, row_tile: u32, sums: vec4<f32>) {
    let biased = sums + bias_of(m, rows_of(row_tile));
    let first = row_tile * outputs_per_row_tile();
    let at = m * OUT_STRIDE + OUT_OFFSET + first;
    let left = outputs() - first;
    if MODE == GATED {
        put(at, gated(biased.x, biased.z, u32(WITH)));
        if left > 1u {
            put(at + 1u, gated(biased.y, biased.w, u32(WITH)));
        }
        return;
    }
    put(at, biased.x);
    if left > 1u {
        put(at + 1u, biased.y);
    }
    if left > 2u {
        put(at + 2u, biased.z);
    }
    if left > 3u {
        put(at + 3u, biased.w);
    }
}
