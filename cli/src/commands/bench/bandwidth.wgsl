// Copies VECTORS vectors of 16 bytes, as fast as the device can: the yardstick of `inglenook bench`.
// source, copy: [VECTORS] vec4<u32>.
// Dispatch: workgroups of 64, folded into two dimensions; each invocation copies 8 vectors, 64 apart, so that neighbours
// touch neighbouring memory and the cost of an invocation does not count.

@group(0) @binding(0) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> copy: array<vec4<u32>>;

override VECTORS: u32;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let first = (id.y * groups.x + id.x) * 512u + local;
    for (var i = 0u; i < 8u; i++) {
        let index = first + i * 64u;
        if index < VECTORS {
            copy[index] = source[index];
        }
    }
}
