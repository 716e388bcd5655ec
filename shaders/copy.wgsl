// Copies `[rows, COLS]` words into columns of rows of STRIDE words, from OFFSET on. source: [WORDS] u32, WORDS = rows · COLS.
// Dispatch: one invocation a word, in workgroups of 64, folded into two dimensions to stay below the limit of one.

override WORDS: u32;
override COLS: u32;
override STRIDE: u32;
override OFFSET: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.y * groups.x * 64u + id.x;
    if index < WORDS {
        copy[index / COLS * STRIDE + OFFSET + index % COLS] = source[index];
    }
}
