// How many pairs of the batch each expert has.
//
// choices: [rows, 2 USED], experts first; counts: [EXPERTS] u32. Dispatch: an invocation an expert, which looks at all pairs: there are
// a few thousand at most, all invocations read the same ones, and nothing waits.

override EXPERTS: u32;
override USED: u32;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let expert = id.x;
    if expert >= EXPERTS {
        return;
    }
    var count = 0u;
    for (var pair = 0u; pair < batch.count * USED; pair++) {
        count += select(0u, 1u, choices[pair / USED * 2u * USED + pair % USED] == expert);
    }
    counts[expert] = count;
}
