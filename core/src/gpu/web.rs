//! The facade on the browser's WebGPU.
