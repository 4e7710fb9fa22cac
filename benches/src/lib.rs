//! Benchmarks of the engine; each lives in `benches/`, what they measured in `README.md`.
//! There is no library here.
