// The lanes of few.wgsl meet in workgroup memory.
var<workgroup> partial: array<vec4<f32>, LANES>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let work = work_of(group, groups);
    if !work.is_any {
        return;
    }
    partial[lane] = share_of(work, lane);
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane < half {
            partial[lane] += partial[lane + half];
        }
        workgroupBarrier();
    }
    if lane == 0u {
        expert_row = work.expert * ROWS;
        finish(work.pair, work.row_tile, partial[0]);
    }
}
