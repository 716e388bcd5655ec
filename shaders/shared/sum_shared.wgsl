// Sum over a workgroup through its memory. All invocations must call it, in uniform control flow.
const LANES: u32 = 128u;
var<workgroup> partial: array<f32, LANES>;

fn sum_over_lanes(value: f32, lane: u32) -> f32 {
    partial[lane] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane < half {
            partial[lane] += partial[lane + half];
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&partial[0]);
}
