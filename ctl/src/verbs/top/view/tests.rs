use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;
use tidy_protocol::{Event, Pending, RootInfo, Totals, WirePath};

use super::super::state::Input;
use super::*;
use crate::render::testing::{before, terminal};

/// What is on a screen of this size.
fn screen(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
}

fn op(id: u64, from: &str, to: &str) -> OperationInfo {
    OperationInfo {
        id,
        kind: "move".into(),
        state: "done".into(),
        time_ns: before(60),
        rule: "photos".into(),
        why: "its kind is image".into(),
        src: Some(WirePath(from.into())),
        dst: Some(WirePath(to.into())),
        size: Some(1_000_000),
        ..OperationInfo::default()
    }
}

fn full() -> State {
    let mut state = State::new(terminal(), false);
    let root = |path: &str, state: &str, pending| RootInfo {
        path: WirePath(path.into()),
        given: WirePath(path.into()),
        state: state.into(),
        pending,
        stopped: None,
    };
    let status = Status {
        version: "0.1.0".into(),
        uptime_ms: 7_500_000,
        state: "running".into(),
        roots: vec![root("/home/a/Downloads", "watching", 3), root("/mnt/scans", "missing", 0)],
        pending: Pending { settling: 2, held: 1, ..Pending::default() },
        totals: Totals { filed: 12, duplicates: 1, left: 4, failed: 0 },
        ..Status::default()
    };
    state.handle(Input::Status(Box::new(status), state.look.now));
    let copy = OperationInfo {
        rule: "duplicates".into(),
        ..op(2, "/home/a/Downloads/b (1).pdf", "/home/a/Downloads/Duplicates/b (1).pdf")
    };
    for op in [op(1, "/home/a/Downloads/IMG_1.jpg", "/home/a/Pictures/2026/IMG_1.jpg"), copy] {
        state.handle(Input::Event(Box::new(Event::Operation(Box::new(op)))));
    }
    let warning = Event::Warning { path: None, text: "the disk\x1b[2J is full".into() };
    state.handle(Input::Event(Box::new(warning)));
    state
}

#[test]
fn everything_is_on_a_screen_of_80_by_24() {
    insta::assert_snapshot!(screen(&full(), 80, 24), @r"
    tidyd 0.1.0  running  up 2 h 5 min  12 filed, 1 copy put aside, 4 left, 0 failed
    FOLDERS
    watching    ~/Downloads  3 pending
    missing     /mnt/scans
    FLOW  2 settling  1 held  0 filing  0 to be read
       0.2 files/s  200.0 kB/s                                                     █
    DONE      WHAT      FILE -> WHERE
    11:59:00  move      b (1).pdf -> ~/Downloads/Duplicates
    11:59:00  move      IMG_1.jpg -> ~/Pictures/2026











    2  duplicates: its kind is image
    TROUBLE
    12:00:00  the disk\x1b[2J is full
    p pause  r resume  e explain  u put back  ? help  q quit
    ");
}

#[test]
fn whatever_the_size_the_newest_and_the_keys_stay_and_nothing_breaks() {
    let state = full();
    for width in [1, 2, 5, 19, 20, 40, 79, 200] {
        for height in [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 23, 60] {
            let shown = screen(&state, width, height);
            if width >= 19 {
                assert!(shown.contains("tidyd 0.1.0"), "{shown}");
                assert!(height < 4 || shown.contains("(1).pdf"), "{width}x{height}:\n{shown}");
            }
            // Nobody gets stuck in it, and what failed is told.
            assert!(width < 6 || height < 2 || shown.contains("q quit"), "{shown}");
            assert!(width < 40 || shown.contains("0 failed"), "{shown}");
            assert!(!shown.contains('\x1b'));
        }
    }
    for key in ['u', '?'] {
        let mut state = full();
        state.handle(Input::Key(KeyCode::Char(key).into()));
        for (width, height) in [(1, 1), (10, 3), (30, 8), (80, 24)] {
            screen(&state, width, height);
        }
    }
}

#[test]
fn a_question_names_the_file_and_help_covers_the_screen() {
    let mut state = full();
    state.handle(Input::Key(KeyCode::Char('u').into()));
    assert!(screen(&state, 80, 24).contains("put back ~/Downloads/b (1).pdf? [y/N]"));
    state.handle(Input::Key(KeyCode::Char('n').into()));
    state.handle(Input::Key(KeyCode::Char('?').into()));
    let help = screen(&state, 80, 24);
    assert!(help.contains("put this file back") && !help.contains("IMG_1"), "{help}");
}

#[test]
fn colours_are_only_where_they_are_wanted() {
    for wanted in [true, false] {
        let mut state = full();
        state.colours = wanted;
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &state)).unwrap();
        let coloured = terminal.backend().buffer().content().iter().any(|c| c.fg != Color::Reset);
        assert_eq!(coloured, wanted);
    }
}

#[test]
fn of_a_long_text_the_end_is_shown() {
    for (text, room, want) in [
        ("short", 5, "short"),
        ("/a/very/long/path.pdf", 9, "…path.pdf"),
        ("名前名前名前", 5, "…名前"),
        ("名前", 1, "…"),
        ("", 0, ""),
    ] {
        assert_eq!(tail(text, room), want, "{text} {room}");
        assert!(width_of(&tail(text, room)) <= room.max(1));
    }
}

#[test]
fn without_a_daemon_it_says_so() {
    let mut state = State::new(terminal(), true);
    assert!(screen(&state, 80, 24).contains("connecting"));
    state.handle(Input::Lost("tidyd is not running".into()));
    assert!(screen(&state, 80, 24).contains("tidyd is not running"));
    let mut state = full();
    state.handle(Input::Lost("tidyd is not running (it left its socket behind)".into()));
    for (width, told) in
        [(100, "left its socket behind); waiting for it"), (40, "gone; waiting for it")]
    {
        assert!(screen(&state, width, 24).contains(told), "{width}");
    }
}

#[test]
fn what_is_being_read_has_its_lines_where_there_is_room() {
    let mut state = full();
    let mut status = *state.status.clone().unwrap();
    let reading = |path: &str, purpose: &str, done, size| ReadingInfo {
        path: WirePath(path.into()),
        purpose: purpose.into(),
        done,
        size,
    };
    status.reading = vec![
        reading("/home/a/Downloads/big.iso", "hashing", 1_500_000_000, 4_000_000_000),
        reading("/home/a/Downloads/film\x1b[2J.mkv", "copying", 5, 0),
        reading("/home/a/c", "hashing", 1, 2),
        reading("/home/a/d", "hashing", 1, 2),
    ];
    let later = state.look.now.checked_add(jiff::SignedDuration::from_secs(2)).unwrap();
    status.read_bytes = 240_000_000;
    state.handle(Input::Status(Box::new(status), later));
    let lines = |screen: &str| -> Vec<String> {
        let read = |l: &&str| l.starts_with("hashing") || l.starts_with("copying");
        screen.lines().filter(read).map(str::to_owned).collect()
    };
    let wide = lines(&screen(&state, 80, 24));
    assert_eq!(wide.len(), 3, "{wide:?}");
    assert!(wide[0].starts_with("hashing     ~/Downloads/big.iso "), "{wide:?}");
    assert!(wide[0].ends_with("  37 % of   4.0 GB   120.0 MB/s"), "{wide:?}");
    assert!(wide[1].starts_with("copying") && !wide[1].contains('\x1b'), "{wide:?}");
    assert!(wide[2].ends_with("  and 1 more"), "{wide:?}");
    assert_eq!(lines(&screen(&state, 80, 8)), Vec::<String>::new());
    for (width, height) in [(200, 50), (10, 24), (1, 1), (80, 9)] {
        screen(&state, width, height);
    }
}

#[test]
fn a_narrow_screen_has_what_is_needed_most() {
    insta::assert_snapshot!(screen(&full(), 40, 14), @r"
    tidyd 0.1.0  running  12 filed, 0 failed
    FLOW  2 settling  1 held
       0.2 files/s  200.0 kB/s             █
    DONE   FILE
    11:59  b (1).pdf
    11:59  IMG_1.jpg




    2  duplicates: its kind is image
    TROUBLE
    12:00:00  the disk\x1b[2J is full
    p pause  e explain  ? help  q quit
    ");
    insta::assert_snapshot!(screen(&full(), 60, 10), @r"
    tidyd 0.1.0  running  12 filed, 4 left, 0 failed
    FLOW  2 settling  1 held  0 filing  0 to be read
       0.2 files/s  200.0 kB/s                                 █
    DONE      WHAT      FILE -> WHERE
    11:59:00  move      b (1).pdf -> Duplicates
    11:59:00  move      IMG_1.jpg -> 2026


    2  duplicates: its kind is image
    p pause  r resume  e explain  u put back  ? help  q quit
    ");
    insta::assert_snapshot!(screen(&full(), 20, 5), @r"
    tidyd 0.1.0  running
    DONE
    b (1).pdf
    IMG_1.jpg
    ? help  q quit
    ");
    let mut state = full();
    state.handle(Input::Said("put back; take it back with: tidyctl redo".into()));
    let shown = screen(&state, 30, 14);
    assert!(shown.contains("tidyctl redo") || shown.contains("redo\n"), "{shown}");
}

/// Blanks are blanks, and the last line can be reached however narrow the screen is.
#[test]
fn a_long_text_is_folded_for_the_screen_and_read_to_its_end() {
    let mut state = full();
    let path = format!("/a/{}photo of us.jpg", "x ".repeat(20)).replace(' ', UNBROKEN);
    let text = format!("{path} was filed because {}the end\n", "of many things ".repeat(30));
    state.handle(Input::Explained(text));
    for (width, height) in [(40, 10), (80, 24), (15, 4)] {
        state.screen = Rect::new(0, 0, width, height);
        state.handle(Input::Key(KeyCode::Home.into()));
        let shown = screen(&state, width, height);
        assert!(!shown.contains(UNBROKEN) && shown.contains("x x"), "{shown}");
        for _ in 0..300 {
            state.handle(Input::Key(KeyCode::Down.into()));
        }
        let shown = screen(&state, width, height);
        assert!(shown.contains("end"), "{width}x{height}: {shown}");
        state.handle(Input::Key(KeyCode::Up.into()));
        assert_ne!(screen(&state, width, height), shown, "one key goes back");
    }
}
