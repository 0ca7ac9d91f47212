//! What follows from a commit: process managers answer with commands.

pub mod react;
