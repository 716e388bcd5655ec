// Lists pairs by expert, in tiles of at most SIDE pairs that one workgroup of a matmul computes.
//
// choices: [rows, 2 USED], experts first; counts: [EXPERTS] u32. list: TILES tiles of four words (expert, first place, pairs, 0), then the
// pairs by expert, in order; tiles that are not needed have no pairs.
// Dispatch: an invocation an expert, as in count.wgsl. It lists its own pairs behind those of the experts before it.

override EXPERTS: u32;
override USED: u32;
override TILES: u32;

const SIDE = 64u;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let expert = id.x;
    if expert >= EXPERTS {
        return;
    }
    var place = 0u;
    var tile = 0u;
    for (var e = 0u; e < expert; e++) {
        place += counts[e];
        tile += (counts[e] + SIDE - 1u) / SIDE;
    }
    for (var begin = 0u; begin < counts[expert]; begin += SIDE) {
        put_tile(tile, expert, place + begin, min(counts[expert] - begin, SIDE));
        tile++;
    }
    if expert == EXPERTS - 1u {
        for (; tile < TILES; tile++) {
            put_tile(tile, 0u, 0u, 0u);
        }
    }
    for (var pair = 0u; pair < batch.count * USED; pair++) {
        if choices[pair / USED * 2u * USED + pair % USED] == expert {
            list[4u * TILES + place] = pair;
            place++;
        }
    }
}

fn put_tile(tile: u32, expert: u32, first: u32, count: u32) {
    list[4u * tile] = expert;
    list[4u * tile + 1u] = first;
    list[4u * tile + 2u] = count;
    list[4u * tile + 3u] = 0u;
}
