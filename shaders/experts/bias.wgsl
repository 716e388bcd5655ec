// What experts are chosen by has a bias. bias: [EXPERTS] f32.
const BIASED: bool = true;

fn bias_of(expert: u32) -> f32 {
    return bias[expert];
}
