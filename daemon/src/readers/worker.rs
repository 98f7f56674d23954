//! A worker: takes files until its socket ends.

use std::fs::File;
use std::os::unix::net::UnixStream;

use tidy_core::category::Category;
use tidy_core::facts::Kind;

use super::limits;
use super::wire::{self, Reply, Request, Want};
use crate::inspect::metadata;

/// Seconds that one file may take on the clock; a disk may be slow.
pub(super) const WALL_SECONDS: u32 = 20;

/// Seconds of processor time that one file may take.
const CPU_SECONDS: u64 = 5;

/// After so many files a worker makes room for a new one: what a crate leaks or caches goes with it.
const FILES: usize = 1_000;

pub(super) fn run(socket: &UnixStream) {
    // Nobody reads what a panic has to say.
    std::panic::set_hook(Box::new(|_| {}));
    for _ in 0..FILES {
        let Ok(Some((request, file))) = wire::receive(socket) else { return };
        let file = File::from(file);
        limits::start_clocks(WALL_SECONDS, CPU_SECONDS);
        let reply = reply(&request, &file);
        limits::stop_clock();
        if wire::answer(socket, &reply).is_err() {
            return;
        }
    }
}

fn reply(request: &Request, file: &File) -> Reply {
    let kind = Kind {
        media_type: request.media_type.clone().into(),
        category: Category::unknown(),
        mismatch: false,
        true_ext: None,
    };
    match request.want {
        Want::Metadata => Reply::of_metadata(metadata::metadata(file, &kind, request.len)),
        Want::Text => Reply::of_text(metadata::text(file, &kind, request.len)),
    }
}
