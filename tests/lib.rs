//! All tests live in `main.rs`.
