// What becomes of the dot products of a matmul. A shard of a weight matrix has ROWS rows. Kernels compute rows in *row tiles* of four:
// row tile u is rows 4u..4u+4, or in gated mode gate rows 2u and 2u+1 and the up rows that belong to them, so that whoever
// computes a row tile can finish it alone.
//
// STORE, ADD: out[m, OUT_OFFSET + n] = or += the sum of row n.
// SILU, GELU: the first half of the rows are gates, the second half ups; out[m, OUT_OFFSET + n] = act(gate n) * up n.
override ROWS: u32;
override MODE: u32;
override OUT_STRIDE: u32;
override OUT_OFFSET: u32;

const STORE = 0u;
const ADD = 1u;
const SILU = 2u;
const GELU = 3u;

// Outputs of the shard, and how many of them a row tile gives.
fn outputs() -> u32 {
    return select(ROWS, ROWS / 2u, MODE >= SILU);
}

fn outputs_per_row_tile() -> u32 {
    return select(4u, 2u, MODE >= SILU);
}

fn row_tiles() -> u32 {
    return (outputs() + outputs_per_row_tile() - 1u) / outputs_per_row_tile();
}

// The four rows of a row tile. Those past the end are the last row: loading it again is harmless, and nothing is stored for it.
fn rows_of(row_tile: u32) -> vec4<u32> {
    if MODE >= SILU {
        let half = ROWS / 2u;
        let gates = min(vec2<u32>(row_tile * 2u, row_tile * 2u + 1u), vec2<u32>(half - 1u));
        return vec4<u32>(gates, gates + vec2<u32>(half));
    }
    return min(vec4<u32>(row_tile * 4u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(ROWS - 1u));
}

fn put(at: u32, value: f32) {
    if MODE == ADD {
        out[at] += value;
    } else {
        out[at] = value;
    }
}

// Stores the four sums of `row_tile` for row `m` of x.
fn finish(m: u32, row_tile: u32, sums: vec4<f32>) {
    let biased = sums + bias_of(rows_of(row_tile));
    let first = row_tile * outputs_per_row_tile();
    let at = m * OUT_STRIDE + OUT_OFFSET + first;
    let left = outputs() - first;
    if MODE >= SILU {
        let gates = vec2<f32>(activate(biased.x, MODE == GELU), activate(biased.y, MODE == GELU));
        let gated = gates * biased.zw;
        put(at, gated.x);
        if left > 1u {
            put(at + 1u, gated.y);
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
