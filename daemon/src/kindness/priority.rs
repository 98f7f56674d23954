//! The priorities of a thread, for processor and disk.

/// After everybody else's: the nice value of `nice(1)` without a number, half the way to the lowest.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lowers those of the calling thread, and so of every thread that it starts. Best effort: a sandbox that forbids it costs
/// only that.
#[cfg(target_os = "linux")]
pub(super) fn lower() {
    // On Linux this is of one thread, whatever the name says (setpriority(2), "C library/kernel differences").
    if rustix::process::getpriority_process(None).is_ok_and(|nice| nice < NICE) {
        let _ = rustix::process::setpriority_process(None, NICE);
    }
    sys::batch();
    sys::disk_last();
}

/// launchd does it for the whole process (`ProcessType`, `LowPriorityIO`).
#[cfg(not(target_os = "linux"))]
pub(super) fn lower() {}

#[cfg(target_os = "linux")]
mod sys {
    /// Best effort (2), last of its eight levels (7): what nobody else wants, but not only that. `linux/ioprio.h`
    const IOPRIO: libc::c_int = 2 << 13 | 7;
    /// `IOPRIO_WHO_PROCESS`: a thread, by its number; 0 is the calling one.
    const WHO_PROCESS: libc::c_int = 1;

    /// Longer turns, and no preference when waking (`SCHED_BATCH`, sched(7)).
    pub(super) fn batch() {
        // SAFETY: an all-zero `sched_param` is a valid value of it: a number, and 0 the only one allowed here.
        let none: libc::sched_param = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a variable of ours, which lives through the call.
        let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const none) };
    }

    pub(super) fn disk_last() {
        // SAFETY: three integers; no memory is passed (ioprio_set(2), of which libc has no wrapper).
        let _ = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, IOPRIO) };
    }

    #[cfg(test)]
    pub(super) fn of_disk() -> libc::c_long {
        // SAFETY: two integers.
        unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_PROCESS, 0) }
    }

    #[cfg(test)]
    pub(super) fn lowest_on_disk() -> libc::c_long {
        libc::c_long::from(IOPRIO)
    }

    #[cfg(test)]
    pub(super) fn is_batch() -> bool {
        // SAFETY: one integer.
        unsafe { libc::sched_getscheduler(0) == libc::SCHED_BATCH }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn nice() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }

    #[test]
    fn a_thread_and_those_it_starts_come_last_and_others_do_not() {
        let before = (nice(), sys::of_disk(), sys::is_batch());
        std::thread::spawn(move || {
            lower();
            let lowered = || (nice(), sys::of_disk(), sys::is_batch());
            let expected = (NICE.max(before.0), sys::lowest_on_disk(), true);
            assert_eq!(lowered(), expected);
            assert_eq!(std::thread::spawn(lowered).join().unwrap(), expected);
        })
        .join()
        .unwrap();
        assert_eq!((nice(), sys::of_disk(), sys::is_batch()), before);
    }
}
