//! Three things at a time: the next chunk is prepared and the last one told of while one is carried out.

use std::sync::mpsc::sync_channel;

/// Chunks that are prepared, and tellings that wait, beyond those at hand: enough that nobody waits for a slow one, and few,
/// since a chunk is some hundred files.
const AHEAD: usize = 1;

/// Takes every chunk through `prepare` and `carry_out`, in order, and whatever that has to tell through `tell`, in the order in
/// which it says so; all of it has been told when this returns. `carry_out` runs on the calling thread, and returns whether to
/// go on. Unless it has failed it is called once more at the end, with no chunk.
///
/// # Errors
/// The first one of `carry_out`, after which nothing more is carried out.
pub(super) fn run<C: Send, P: Send, T: Send, E>(
    mut chunks: impl Iterator<Item = C> + Send,
    prepare: impl Fn(C) -> P + Send,
    tell: impl Fn(T) + Send,
    mut carry_out: impl FnMut(Option<P>, &mut dyn FnMut(T)) -> Result<bool, E>,
) -> Result<(), E> {
    let first = [chunks.next(), chunks.next()];
    if first[1].is_none() {
        // Most runs are of a file or two, which are not worth two threads.
        for chunk in first.into_iter().flatten() {
            carry_out(Some(prepare(chunk)), &mut |what| tell(what))?;
        }
        return carry_out(None, &mut |what| tell(what)).map(drop);
    }
    let chunks = first.into_iter().flatten().chain(chunks);
    std::thread::scope(|scope| {
        let (prepared, ready) = sync_channel(AHEAD);
        let (told, tellings) = sync_channel(AHEAD);
        scope.spawn(move || {
            for chunk in chunks {
                // Nobody waits for it any more after an error or a stop.
                if prepared.send(prepare(chunk)).is_err() {
                    break;
                }
            }
        });
        scope.spawn(move || tellings.into_iter().for_each(tell));
        // It fails only when the thread has panicked, which ends the run when it ends.
        let mut tell = |what| drop(told.send(what));
        for chunk in ready {
            if !carry_out(Some(chunk), &mut tell)? {
                break;
            }
        }
        carry_out(None, &mut tell).map(drop)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::run;

    /// Told at the end.
    const LAST: u32 = 77;

    /// What came of so many chunks, of which one fails or ends the run.
    fn through(chunks: u32, last: Result<u32, u32>) -> (Result<(), u32>, Vec<u32>, Vec<u32>) {
        let (mut done, told) = (Vec::new(), Mutex::new(Vec::new()));
        let tell = |n: u32| told.lock().unwrap().push(n);
        let result = run(
            0..chunks,
            |n| n * 10,
            tell,
            |n, told| {
                let Some(n) = n else {
                    told(LAST);
                    return Ok(false);
                };
                done.push(n);
                told(n + 1);
                match last {
                    Err(at) if at == n => Err(n),
                    last => Ok(last != Ok(n)),
                }
            },
        );
        (result, done, told.into_inner().unwrap())
    }

    #[test]
    fn everything_is_carried_out_and_told_in_order() {
        for chunks in [0, 1, 2, 50] {
            let all: Vec<u32> = (0..chunks).map(|n| n * 10).collect();
            let told = all.iter().map(|n| n + 1).chain([LAST]).collect();
            assert_eq!(through(chunks, Ok(u32::MAX)), (Ok(()), all, told));
        }
    }

    #[test]
    fn nothing_is_carried_out_after_an_error_or_a_stop_and_what_was_is_told() {
        assert_eq!(through(50, Err(20)), (Err(20), vec![0, 10, 20], vec![1, 11, 21]));
        assert_eq!(through(50, Ok(20)), (Ok(()), vec![0, 10, 20], vec![1, 11, 21, LAST]));
        assert_eq!(through(1, Err(0)), (Err(0), vec![0], vec![1]));
    }
}
