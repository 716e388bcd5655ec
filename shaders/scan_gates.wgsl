// The gates of a recurrence: time = softplus(x + bias), decay = exp(rate * time), step = time, or a sigmoid of a column of its own.
//
// x: [rows, STRIDE] f32, times from column TIMES on, steps from column STEPS on where they are their own; learned: [2 or 3, HEADS] f32: rate,
// bias, skip; out: [rows, 3, HEADS] f32: decay, step, skip. Dispatch: x covers the heads in workgroups of 64, y is the row.

override HEADS: u32;
override STRIDE: u32;
override TIMES: u32;
override HAS_STEPS: bool;
override STEPS: u32;
override SKIPS: bool;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let head = id.x;
    if id.y >= batch.count || head >= HEADS {
        return;
    }
    let raw = x[id.y * STRIDE + TIMES + head] + learned[HEADS + head];
    // Where exp would overflow, the logarithm is its argument.
    let time = select(log(1.0 + exp(min(raw, 20.0))), raw, raw > 20.0);
    var step = time;
    if HAS_STEPS {
        step = 1.0 / (1.0 + exp(min(-x[id.y * STRIDE + STEPS + head], 80.0)));
    }
    var skip = 0.0;
    if SKIPS {
        skip = learned[2u * HEADS + head];
    }
    let at = id.y * 3u * HEADS + head;
    out[at] = exp(max(learned[head] * time, -80.0));
    out[at + HEADS] = step;
    out[at + 2u * HEADS] = skip;
}
