use tidy_protocol::{Pending, RootInfo};

use super::*;
use crate::render::testing::{before, terminal};

fn state() -> State {
    State::new(terminal(), false)
}

fn op(id: u64, kind: &str) -> OperationInfo {
    OperationInfo {
        id,
        kind: kind.into(),
        state: "done".into(),
        time_ns: before(60),
        rule: "photos".into(),
        src: Some(WirePath(format!("/home/a/Downloads/{id}.jpg").into())),
        dst: Some(WirePath(format!("/home/a/Pictures/{id}.jpg").into())),
        size: Some(1_000),
        ..OperationInfo::default()
    }
}

fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    keys.chars().flat_map(|c| state.handle(Input::Key(KeyCode::Char(c).into()))).collect()
}

fn happened(state: &mut State, op: OperationInfo) {
    state.handle(Input::Event(Box::new(Event::Operation(Box::new(op)))));
}

fn chosen(state: &State) -> u64 {
    state.chosen().expect("something was done").1.id
}

#[test]
fn the_newest_is_followed_until_another_is_chosen() {
    let mut s = state();
    s.handle(Input::Recent(vec![op(3, "move"), op(2, "mkdir"), op(1, "move")]));
    assert_eq!(s.operations.len(), 2, "directories are left out");
    happened(&mut s, op(4, "move"));
    assert_eq!(chosen(&s), 4);
    s.handle(Input::Key(KeyCode::Down.into()));
    happened(&mut s, op(5, "move"));
    assert_eq!(chosen(&s), 3, "what was chosen stays so");
    press(&mut s, "kkkkk");
    happened(&mut s, op(6, "move"));
    assert_eq!(chosen(&s), 6, "at the top the newest is followed again");
    press(&mut s, "jjjjjjjjjj");
    assert_eq!(chosen(&s), 1);
    (7..500).for_each(|id| happened(&mut s, op(id, "move")));
    assert_eq!(s.operations.len(), HISTORY);
    assert_eq!(chosen(&s), 499, "what is forgotten is not chosen any more");
    assert!(s.rate.now().0 > 0.0);
}

#[test]
fn keys_ask_for_what_they_say() {
    let mut s = state();
    assert_eq!(press(&mut s, "pr"), [Effect::Pause, Effect::Resume]);
    assert!(press(&mut s, "eux").is_empty(), "there is nothing to explain or put back");
    happened(&mut s, op(1, "move"));
    assert_eq!(press(&mut s, "e"), [Effect::Explain(WirePath("/home/a/Pictures/1.jpg".into()))]);
    assert_eq!(press(&mut s, "q"), [Effect::Quit]);
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    press(&mut s, "?");
    assert_eq!(s.handle(Input::Key(ctrl_c)), [Effect::Quit], "whatever is shown");
}

#[test]
fn nothing_is_put_back_without_a_yes() {
    let mut s = state();
    happened(&mut s, op(1, "move"));
    happened(&mut s, op(2, "move"));
    for no in ["un", "uq", "u ", "uu"] {
        assert!(press(&mut s, no).is_empty(), "{no}");
        assert_eq!(s.mode, Mode::Watching);
    }
    press(&mut s, "u");
    s.handle(Input::Explained("late".into()));
    // What comes meanwhile does not change what was asked.
    happened(&mut s, op(3, "move"));
    assert_eq!(s.mode, Mode::Asking(2));
    assert_eq!(press(&mut s, "y"), [Effect::PutBack(2)]);
    assert!(press(&mut s, "y").is_empty(), "once");
}

#[test]
fn what_cannot_be_put_back_says_so() {
    let undone = OperationInfo { undone_by: Some(9), ..op(1, "move") };
    let rollback = OperationInfo { undo: true, inverse_of: Some(1), ..op(2, "move") };
    let failed = OperationInfo { state: "failed".into(), ..op(3, "move") };
    for op in [undone, rollback, failed, op(4, "run")] {
        let mut s = state();
        happened(&mut s, op);
        assert!(press(&mut s, "uy").is_empty());
        assert!(matches!(&s.said, Some((_, true))), "{:?}", s.said);
    }
}

#[test]
fn a_rollback_marks_what_it_undid() {
    let mut s = state();
    happened(&mut s, op(1, "move"));
    happened(&mut s, OperationInfo { undo: true, inverse_of: Some(1), ..op(2, "move") });
    assert_eq!(s.operations[1].undone_by, Some(2));
    happened(&mut s, op(2, "move"));
    assert_eq!(s.operations.len(), 2, "what is told twice is one");
}

#[test]
fn errors_and_warnings_are_kept_and_escaped() {
    let mut s = state();
    happened(&mut s, OperationInfo { error: Some("no\nspace\x1b[2J".into()), ..op(1, "move") });
    let warning = Event::Warning { path: None, text: "look".into() };
    s.handle(Input::Event(Box::new(warning)));
    s.handle(Input::Event(Box::new(Event::Lagged { missed: 7 })));
    let texts: Vec<&str> = s.troubles.iter().map(|t| t.text.as_str()).collect();
    assert_eq!(texts[1..], ["look", "~/Downloads/1.jpg: no\\nspace\\x1b[2J"]);
    assert!(texts[0].contains("7 events"));
}

#[test]
fn a_daemon_that_goes_and_comes_is_told() {
    let mut s = state();
    s.handle(Input::Lost("tidyd is not running".into()));
    assert_eq!(s.lost.as_deref(), Some("tidyd is not running"));
    let root = RootInfo {
        path: WirePath("/r".into()),
        given: WirePath("/r".into()),
        state: "watching".into(),
        pending: 0,
        stopped: None,
    };
    let pending = Pending { settling: 2, ..Pending::default() };
    let status = Status { roots: vec![root], pending, ..Status::default() };
    s.handle(Input::Status(Box::new(status), s.look.now));
    assert_eq!(s.lost, None);
    assert_eq!(s.status.as_ref().unwrap().pending.settling, 2);
    s.handle(Input::Said("done".into()));
    let mut shown = 0;
    while s.said.is_some() {
        s.handle(Input::Status(Box::default(), s.look.now));
        shown += 1;
        assert!(shown < 100, "what was said goes");
    }
    assert!(shown > 5, "but not at once");
}

#[test]
fn a_text_is_read_and_closed() {
    let mut s = state();
    let text = "\x1b[1m/a\x1b[0m\nwhy\nand why".to_owned();
    s.screen = ratatui::layout::Rect::new(0, 0, 80, 3);
    s.handle(Input::Explained(text));
    assert!(matches!(&s.mode, Mode::Reading { text, .. } if text.starts_with("/a\nwhy")));
    press(&mut s, "jjjjjjk");
    assert!(matches!(&s.mode, Mode::Reading { from: 1, .. }), "{:?}", s.mode);
    assert!(press(&mut s, "q").is_empty(), "q closes the text, not the screen");
    assert_eq!(s.mode, Mode::Watching);
}
