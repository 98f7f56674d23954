//! What a peer of another release sends: it is understood, skipped, or answered by name.

use ciborium::Value;
use tidy_protocol::{
    Call, ErrorCode, Event, FileQuery, LogQuery, Request, Response, RootInfo, StopInfo, decode,
    encode,
};

fn call(method: &str, params: Value) -> Call {
    Call { id: 1, method: method.into(), params }
}

fn map(fields: &[(&str, Value)]) -> Value {
    Value::Map(fields.iter().map(|(k, v)| ((*k).into(), v.clone())).collect())
}

#[test]
fn fields_of_a_newer_client_are_ignored_everywhere() {
    let later = ("later", Value::from(1));
    let wait = call("wait", map(&[("timeout_ms", 5.into()), later.clone()]));
    assert_eq!(wait.request().unwrap(), Request::Wait { timeout_ms: 5 });
    // A method that has no parameters yet.
    assert_eq!(
        call("status", map(std::slice::from_ref(&later))).request().unwrap(),
        Request::Status
    );
    // In the envelope.
    let envelope = map(&[("id", 1.into()), ("method", "status".into()), later]);
    let decoded: Call = decode(&encode(&envelope).unwrap()).unwrap();
    assert_eq!(decoded.request().unwrap(), Request::Status);
}

#[test]
fn what_a_client_leaves_out_has_a_default() {
    let empty = || map(&[]);
    assert_eq!(call("log", empty()).request().unwrap(), Request::Log(LogQuery::default()));
    assert_eq!(call("log", Value::Null).request().unwrap(), Request::Log(LogQuery::default()));
    assert_eq!(call("files", Value::Null).request().unwrap(), Request::Files(FileQuery::default()));
    assert_eq!(call("pause", Value::Null).request().unwrap(), Request::Pause { root: None });
    let all = Request::Duplicates { cursor: None, limit: None };
    assert_eq!(call("duplicates", Value::Null).request().unwrap(), all);
    assert_eq!(call("rescan", Value::Null).request().unwrap(), Request::Rescan { paths: vec![] });
    let all = Request::Report { since_ns: None, until_ns: None };
    assert_eq!(call("report", Value::Null).request().unwrap(), all);
    let params = map(&[("dry_run", true.into())]);
    let organize = Request::Organize { paths: vec![], dry_run: true };
    assert_eq!(call("organize", params).request().unwrap(), organize);
    // What says which file is meant has none.
    let error = call("explain", empty()).request().unwrap_err();
    assert_eq!(error.code, ErrorCode::BadRequest);
}

#[test]
fn nothing_is_done_for_real_because_a_flag_was_mistyped() {
    let last = || ("selector", map(&[("last", 1.into())]));
    for flag in [("dry_run", Value::from("yes")), ("dryrun", true.into()), ("dry-run", true.into())]
    {
        for (method, params) in [
            ("organize", map(std::slice::from_ref(&flag))),
            ("rollback", map(&[last(), flag.clone()])),
            ("redo", map(&[("batches", 1.into()), flag.clone()])),
        ] {
            let error = call(method, params).request().unwrap_err();
            assert_eq!(error.code, ErrorCode::BadRequest, "{method} {flag:?}");
        }
    }
}

#[test]
fn what_an_older_daemon_does_not_send_is_nothing() {
    let root = map(&[
        ("path", Value::Bytes(b"/r".to_vec())),
        ("given", Value::Bytes(b"/r".to_vec())),
        ("state", "paused".into()),
        ("pending", 0.into()),
    ]);
    let info: RootInfo = decode(&encode(&root).unwrap()).unwrap();
    assert_eq!(info.stopped, None);
    assert_eq!(decode::<Value>(&encode(&info).unwrap()).unwrap(), root, "nor is it sent then");
    let stop = StopInfo { reason: "share".into(), files: 9, ..StopInfo::default() };
    let info = RootInfo { stopped: Some(stop), ..info };
    assert_eq!(decode::<RootInfo>(&encode(&info).unwrap()).unwrap(), info);
}

#[test]
fn names_of_replies_and_events_are_where_the_document_says() {
    let event = encode(&Event::Lagged { missed: 1 }).unwrap();
    let tagged: Value = decode(&event).unwrap();
    assert_eq!(tagged, map(&[("event", "lagged".into()), ("data", map(&[("missed", 1.into())]))]));
    let done: Value = decode(&encode(&Response::Done).unwrap()).unwrap();
    assert_eq!(done, map(&[("kind", "done".into())]));
}
