// Copies WORDS words, for taps. from, to: [WORDS] u32.
// Dispatch: one invocation a word, in workgroups of 64, folded into two dimensions to stay below the limit of one.

override WORDS: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.y * groups.x * 64u + id.x;
    if index < WORDS {
        copy[index] = source[index];
    }
}
