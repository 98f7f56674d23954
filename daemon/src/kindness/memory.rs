//! Memory that is not in use goes back to the system.

/// Threads share so many heaps. glibc makes eight for each processor, and every one keeps what was freed in it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: libc::c_int = 4;

/// Little memory is held that is not in use. To be called once, before there are threads.
pub fn be_thrifty() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: two integers; that it is called before any thread exists is not even needed for this parameter (mallopt(3)).
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, HEAPS) };
}

/// Gives back to the system what a burst has left behind: whole pages that nothing is in, wherever they lie. Takes
/// milliseconds.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: one integer; it takes the locks of the heaps itself (malloc_trim(3), MT-safe).
    let _ = unsafe { libc::malloc_trim(0) };
}
