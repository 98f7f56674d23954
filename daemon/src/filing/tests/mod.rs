#![expect(clippy::disallowed_methods, reason = "tests make, change and remove their own files")]

mod chunks;
mod ground;
mod past;
mod runs;
mod undoing;

pub(crate) use ground::{Ground, MODE, PLAIN, walk_through};
