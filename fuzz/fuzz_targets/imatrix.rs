//! An importance matrix: what is accepted has a mean square for each column.
#![no_main]

use inglenook_format::gguf::TensorInfo;
use inglenook_format::imatrix::Imatrix;
use inglenook_format::quant::WeightType;
use inglenook_format::source::Memory;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(imatrix) = pollster::block_on(Imatrix::read(&Memory(bytes))) else { return };
    assert!(!imatrix.is_empty());
    for dims in [vec![1], vec![4, 3], vec![2, 3, 2]] {
        let tensor = TensorInfo { name: "a".into(), dims, ty: WeightType::F32.into(), offset: 0, bytes: 0 };
        if let Ok(Some(importance)) = imatrix.of(&tensor) {
            for row in 0..tensor.rows() {
                let values = importance.of_row(row);
                assert!(values.len() as u64 == tensor.row_len() && values.iter().all(|value| *value >= 0.0));
            }
        }
    }
});
