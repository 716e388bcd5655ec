// The highest key among a workgroup's LANES (at most 256), with the lowest index among equals. All invocations must call
// it, in uniform control flow.
var<workgroup> candidates: array<vec2<u32>, 256>;

fn best_over_lanes(key: u32, index: u32, lane: u32) -> vec2<u32> {
    candidates[lane] = vec2<u32>(key, index);
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane < half {
            let mine = candidates[lane];
            let other = candidates[lane + half];
            if other.x > mine.x || (other.x == mine.x && other.y < mine.y) {
                candidates[lane] = other;
            }
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&candidates[0]);
}
