// The second half of what adapters add to a product: out[m, OUT_OFFSET + n] = bias + the sum over c of x[m, c] * b[c, FIRST + n].
//
// x: [rows, RANK] f32; b: [RANK, OUTPUTS] f32; out: [rows, OUT_STRIDE] f32; bias [OUT_STRIDE] f32 or none. Columns whose x is 0 are not read:
// they belong to adapters that the row has not.
// Dispatch: x covers n in workgroups of 64, y is the row.

override RANK: u32;
override OUTPUTS: u32;
override FIRST: u32;
override COUNT: u32;
override OUT_STRIDE: u32;
override OUT_OFFSET: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let n = id.x;
    let m = id.y;
    if m >= batch.count || n >= COUNT {
        return;
    }
    var sum = bias_of(OUT_OFFSET + n);
    for (var c = 0u; c < RANK; c++) {
        let factor = x[m * RANK + c];
        if factor != 0.0 {
            sum += factor * b[c * OUTPUTS + FIRST + n];
        }
    }
    out[m * OUT_STRIDE + OUT_OFFSET + n] = sum;
}
