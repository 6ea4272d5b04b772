//! What benchmarks and the load generator share: timing in turns, made-up people, and a service over a SQLite file.
//!
//! Nothing here asserts a time. A figure means something beside another one that was taken in the same run.

pub mod contest;
pub mod people;
pub mod world;

pub use contest::{Contest, asked_to_measure};
pub use world::World;
