// Chunks of x shared by quads: four neighbouring invocations, each of which loads a quarter of a chunk, compute four weight rows each for
// the same row of x. On a software adapter an invocation is a lane of a vector register: a load costs a branch a lane, whatever
// it loads, and handing a value to the other lanes costs next to nothing.
struct Quarter {
    low: vec4<f32>,   // values 4i..4i+4 of the chunk, i being this invocation's place in its quad, with SPREAD applied
    high: vec4<f32>,  // values 16 + 4i.. likewise
    sum: f32,         // of the whole chunk
}

fn quarter(chunk_of_x: u32, place: u32) -> Quarter {
    let low = x[chunk_of_x * 8u + place];
    let high = x[chunk_of_x * 8u + 4u + place];
    var sum = 0.0;
    if OFFSET {
        sum = dot(low + high, vec4<f32>(1.0));
        sum += quadSwapX(sum);
        sum += quadSwapY(sum);
    }
    return Quarter(low * SPREAD, high * SPREAD, sum);
}

// A chunk of each of a unit's four rows.
struct FourChunks {
    a: Chunk,
    b: Chunk,
    c: Chunk,
    d: Chunk,
}

fn four_chunks(first: vec4<u32>, number: u32) -> FourChunks {
    return FourChunks(
        chunk(first.x + number), chunk(first.y + number), chunk(first.z + number), chunk(first.w + number),
    );
}

// The sums of sixteen products of each row, and of the chunk's other sixteen, into the sums so far.
fn add_scaled(sums: vec4<f32>, low: vec4<f32>, high: vec4<f32>, w: FourChunks, sum_of_x: f32) -> vec4<f32> {
    let low_scales = vec4<f32>(w.a.scale.x, w.b.scale.x, w.c.scale.x, w.d.scale.x);
    let high_scales = vec4<f32>(w.a.scale.y, w.b.scale.y, w.c.scale.y, w.d.scale.y);
    let scaled = sums + low * low_scales + high * high_scales;
    if OFFSET {
        return scaled + vec4<f32>(w.a.offset, w.b.offset, w.c.offset, w.d.offset) * sum_of_x;
    }
    return scaled;
}
