// What each expert gives has a factor. scales: [EXPERTS] f32.
fn factor_of(expert: u32) -> f32 {
    return scales[expert];
}
