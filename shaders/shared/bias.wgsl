// What is added to a column's sum: bias, [columns] f32.
fn bias_of(column: u32) -> f32 {
    return bias[column];
}
