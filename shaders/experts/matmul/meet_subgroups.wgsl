// The lanes of few.wgsl meet in subgroups, whatever their size, and the subgroups' sums in workgroup memory; see gemv/subgroups.wgsl.
var<workgroup> partial: array<vec4<f32>, LANES / 4u>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) member: u32,
    @builtin(subgroup_size) size: u32,
) {
    let work = work_of(group, groups);
    if !work.is_any {
        return;
    }
    let sum = subgroupAdd(share_of(work, lane));
    if member == 0u {
        partial[lane / size] = sum;
    }
    workgroupBarrier();
    if lane == 0u {
        var total = partial[0];
        for (var first = size; first < LANES; first += size) {
            total += partial[first / size];
        }
        expert_row = work.expert * ROWS;
        finish(work.pair, work.row_tile, total);
    }
}
