// The lanes of lanes.wgsl meet in workgroup memory.
var<workgroup> partial: array<vec4<f32>, LANES * M>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row_tile = row_tile_of(group, groups);
    if batch.count == 0u || row_tile >= row_tiles() {
        return;
    }
    let sums = share_of(row_tile, lane);
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
        finish(lane, row_tile, partial[lane * LANES]);
    }
}
