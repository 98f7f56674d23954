//! Calls that send events on the way.

use super::*;

#[test]
fn a_subscription_starts_with_the_state_and_ends_with_the_daemon() {
    let server = Server::start();
    let mut raw = server.raw();
    raw.call(5, &Request::Subscribe);
    assert!(matches!(raw.event(), Event::State(status) if status.pid == 7));
    server.fake.events.send(Event::Reloaded).unwrap();
    assert_eq!(raw.event(), Event::Reloaded);
    // The connection stays usable.
    raw.call(6, &Request::Status);
    assert_eq!(raw.result().0, 6);
    server.closing.cancel();
    assert_eq!(raw.event(), Event::Stopping);
    assert_eq!(raw.result(), (5, Response::Ended));
    assert!(raw.frame().is_none());
    server.finish();
}

fn noise() -> Event {
    Event::Warning { path: None, text: "x".repeat(64 << 10) }
}

#[test]
fn a_subscriber_that_fell_behind_is_told_and_starts_over() {
    let server = Server::start();
    let mut raw = server.raw();
    raw.call(1, &Request::Subscribe);
    assert!(matches!(raw.event(), Event::State(_)));
    let mut sent = 0;
    eventually("it lags", || {
        let _ = server.fake.events.send(noise());
        sent += 1;
        server.stats.lags.get() > 0 || sent > 400
    });
    let mut read = 0;
    let missed = loop {
        match raw.event() {
            Event::Warning { .. } => read += 1,
            Event::Lagged { missed } => break missed,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(raw.event(), Event::State(_)));
    assert!(missed > 0 && read + missed <= sent, "{read} {missed} {sent}");
    // Events go on from there.
    let _ = server.fake.events.send(Event::Reloaded);
    while raw.event() != Event::Reloaded {}
}

#[test]
fn a_subscriber_that_never_reads_costs_the_others_nothing() {
    let server = Server::with(Limits { write: Duration::from_millis(100), ..Limits::default() });
    let mut deaf = server.raw();
    deaf.call(1, &Request::Subscribe);
    let mut client = server.client();
    eventually("it is cut off", || {
        let _ = server.fake.events.send(noise());
        assert!(matches!(client.call(&Request::Status), Ok(Response::Status(_))));
        server.stats.unread.get() == 1
    });
}

#[test]
fn a_job_is_followed_to_its_end() {
    let server = Server::with(Limits { progress: Duration::from_millis(1), ..Limits::default() });
    let progress = watch::Sender::new(job(JobState::Running, 0));
    *server.fake.jobs.lock().unwrap() = Some(progress.clone());
    let mut raw = server.raw();
    raw.call(1, &Request::JobFollow { id: 3 });
    for done in 0..5 {
        progress.send_replace(job(JobState::Running, done));
        assert_eq!(raw.event(), Event::Job(Box::new(job(JobState::Running, done))));
    }
    progress.send_replace(job(JobState::Done, 9));
    assert_eq!(raw.result(), (1, Response::Job(Box::new(job(JobState::Done, 9)))));
    // One that has ended already.
    raw.call(2, &Request::JobFollow { id: 3 });
    assert_eq!(raw.result().0, 2);
    raw.call(3, &Request::JobFollow { id: 4 });
    let (id, error) = raw.error();
    assert_eq!((id, error.code), (3, ErrorCode::NotFound));
}

#[test]
fn a_job_that_vanishes_is_an_error_and_one_that_runs_on_is_cut_off_by_the_end() {
    let server = Server::with(Limits { grace: Duration::from_millis(20), ..Limits::default() });
    let (progress, kept) = watch::channel(job(JobState::Running, 0));
    *server.fake.jobs.lock().unwrap() = Some(progress);
    let mut raw = server.raw();
    raw.call(1, &Request::JobFollow { id: 3 });
    assert!(matches!(raw.event(), Event::Job(_)));
    drop(kept);
    *server.fake.jobs.lock().unwrap() = None;
    assert_eq!(raw.error().1.code, ErrorCode::Internal);

    *server.fake.jobs.lock().unwrap() = Some(watch::Sender::new(job(JobState::Running, 0)));
    raw.call(2, &Request::JobFollow { id: 3 });
    assert!(matches!(raw.event(), Event::Job(_)));
    server.closing.cancel();
    let (id, error) = raw.error();
    assert_eq!((id, error.code), (2, ErrorCode::Stopping));
    server.finish();
}
