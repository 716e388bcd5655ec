// The lanes of lanes.wgsl meet in workgroup memory.
var<workgroup> partial: array<vec4<f32>, LANES * M>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let unit = unit_of(group, groups);
    if batch.count == 0u || unit >= row_tiles() {
        return;
    }
    let sums = share_of(unit, lane);
    for (var m = 0u; m < M; m++) {
        partial[m * LANES + lane] = sums[m];
    }
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane < half {
            for (var m = 0u; m < M; m++) {
                partial[m * LANES + lane] += partial[m * LANES + lane + half];
            }
        }
        workgroupBarrier();
    }
    if lane < min(M, batch.count) {
        finish(lane, unit, partial[lane * LANES]);
    }
}
