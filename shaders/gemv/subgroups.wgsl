// The lanes of lanes.wgsl meet in subgroups, whatever their size, and the subgroups' sums in workgroup memory. Lanes are taken to
// be numbered through the subgroups, which WGSL does not promise; the known-answer check at load finds a GPU where they are not.
var<workgroup> partial: array<vec4<f32>, LANES / 4u * M>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) member: u32,
    @builtin(subgroup_size) size: u32,
) {
    let row_tile = row_tile_of(group, groups);
    if batch.count == 0u || row_tile >= row_tiles() {
        return;
    }
    let sums = share_of(row_tile, lane);
    for (var m = 0u; m < M; m++) {
        let sum = subgroupAdd(sums[m]);
        if member == 0u {
            partial[lane / size * M + m] = sum;
        }
    }
    workgroupBarrier();
    if lane < min(M, batch.count) {
        var total = partial[lane];
        for (var first = size; first < LANES; first += size) {
            total += partial[first / size * M + lane];
        }
        finish(lane, row_tile, total);
    }
}
