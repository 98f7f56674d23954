//! Operations and the steps of plans.

use owo_colors::OwoColorize;
use tidy_protocol::{LeftFile, OperationInfo, PlannedStep, TagChange};

use super::path::one_line;
use super::{Look, reason, table};

/// Whether a kind is about directories made and removed on the way, which people do not ask for.
pub(crate) fn is_directory(kind: &str) -> bool {
    matches!(kind, "mkdir" | "rmdir")
}

/// One line an operation; with a column for what went wrong, if something did.
pub(crate) fn list(look: &Look, operations: &[OperationInfo]) -> String {
    let any_error = operations.iter().any(|o| o.error.is_some());
    let mut table = if any_error {
        let head = ["ID", "BATCH", "TIME", "WHAT", "STATE", "FROM -> TO", "RULE", "ERROR"];
        table::table(look, head)
    } else {
        table::table(look, ["ID", "BATCH", "TIME", "WHAT", "STATE", "FROM -> TO", "RULE"])
    };
    for o in operations {
        let row = [
            table::number(o.id),
            table::number(o.batch),
            table::whole(look.moment(o.time_ns)),
            table::whole(one_line(&o.kind)),
            table::state(state(o)),
            cell(look, o),
            table::words(one_line(&o.rule)),
        ];
        let error = any_error.then(|| o.error.as_deref().map(one_line).unwrap_or_default());
        table.add_row(row.into_iter().chain(error.map(table::words)));
    }
    table.fitting().unwrap_or_else(|| operations.iter().map(|o| short(look, o)).collect())
}

/// Several lines an operation, where a column for paths would be too narrow.
fn short(look: &Look, o: &OperationInfo) -> String {
    let mut lines = vec![
        format!("{} {} {}", o.id.bold(), one_line(&o.kind), one_line(state(o))),
        format!("   {}, batch {}", look.moment(o.time_ns), o.batch),
    ];
    match (&o.src, &o.dst) {
        (Some(src), Some(dst)) => {
            lines.push(format!("   {}", look.path(&src.0)));
            lines.push(format!("-> {}", look.path(&dst.0)));
        }
        _ => lines.push(format!("   {}", route(look, o))),
    }
    lines.push(format!("   {}", one_line(&o.rule)));
    lines.extend(o.error.as_deref().map(|error| format!("   {}", one_line(error).red())));
    lines.join("\n") + "\n"
}

fn cell(look: &Look, o: &OperationInfo) -> table::Cell {
    match (&o.src, &o.dst) {
        (Some(src), Some(dst)) => table::route(look.path(&src.0), look.path(&dst.0)),
        _ => table::path(route(look, o)),
    }
}

/// Where from and where to.
fn route(look: &Look, o: &OperationInfo) -> String {
    match (&o.src, &o.dst) {
        (Some(src), None) if o.tags.is_some() => {
            format!("{}: {}", look.path(&src.0), tags(o.tags.as_ref()))
        }
        (Some(src), Some(dst)) => format!("{} -> {}", look.path(&src.0), look.path(&dst.0)),
        (Some(one), None) | (None, Some(one)) => look.path(&one.0),
        (None, None) => String::new(),
    }
}

/// The tags that a file has afterwards.
pub(crate) fn tags(change: Option<&TagChange>) -> String {
    listed(change.map(|c| c.after.as_slice()).unwrap_or_default())
}

fn listed(tags: &[String]) -> String {
    match tags {
        [] => "no tags".to_owned(),
        tags => format!("tags {}", one_line(&tags.join(", "))),
    }
}

/// The state, or that it was undone since.
fn state(o: &OperationInfo) -> &str {
    if o.undone_by.is_some() { "undone" } else { &o.state }
}

/// Everything about one operation.
pub(crate) fn full(look: &Look, o: &OperationInfo) -> String {
    let mut lines = vec![format!("operation {}  {}", o.id.bold(), one_line(&o.kind).bold())];
    let mut line = |name: &str, value: String| lines.push(format!("  {name:<9} {value}"));
    if let Some(src) = &o.src {
        line("from", look.path(&src.0));
    }
    if let Some(dst) = &o.dst {
        line("to", look.path(&dst.0));
    }
    if let Some(change) = &o.tags {
        line("before", listed(&change.before));
        line("after", listed(&change.after));
    }
    line("rule", one_line(&o.rule));
    line(if o.kind == "run" { "command" } else { "why" }, one_line(&o.why));
    if o.kind == "run" {
        line("undo", "not possible: what a command does is not ours to take back".into());
    }
    let undone = o.undone_by.map(|by| format!(", undone by operation {by}")).unwrap_or_default();
    line("state", format!("{}{undone}", one_line(&o.state)));
    if let Some(error) = &o.error {
        line("error", one_line(error).red().to_string());
    }
    let absolute = super::time::absolute(o.time_ns, &look.tz);
    let time =
        if look.terminal { format!("{absolute} ({})", look.moment(o.time_ns)) } else { absolute };
    line("time", time);
    line("batch", format!("{} ({})", o.batch, one_line(&o.trigger)));
    if let Some(of) = o.inverse_of {
        line(if o.undo { "undoes" } else { "redoes" }, format!("operation {of}"));
    }
    if let Some(size) = o.size {
        line("size", format!("{} ({})", super::size::readable(size), super::count(size, "byte")));
    }
    if let Some(digest) = &o.digest {
        line("digest", format!("blake3 {}", one_line(digest)));
    }
    let mut out = lines.join("\n") + "\n";
    if let Some(considered) = &o.considered {
        out.push_str("\nRules, in order\n");
        out.push_str(&reason::considered(look, considered, &o.rule));
    }
    out
}

/// The steps of a plan, three lines each, as `tidyd --once` prints them.
pub(crate) fn plan(look: &Look, steps: &[PlannedStep]) -> String {
    let mut out = String::new();
    for s in steps.iter().filter(|s| !is_directory(&s.kind)) {
        let from = look.maybe_path(s.src.as_ref());
        let to = match &s.tags {
            Some(_) => tags(s.tags.as_ref()),
            None => look.maybe_path(s.dst.as_ref()),
        };
        let (kind, rule, why) = (one_line(&s.kind), one_line(&s.rule), one_line(&s.why));
        out.push_str(&format!("{kind:<5} {from}\n   -> {to}\n      {rule}: {why}\n"));
    }
    out
}

/// What is left, by reason, the most frequent first; some names of each.
pub(crate) fn left(look: &Look, left: &[LeftFile]) -> String {
    const NAMES: usize = 5;
    let mut groups: Vec<(&str, Vec<&LeftFile>)> = Vec::new();
    for file in left {
        match groups.iter_mut().find(|(reason, _)| *reason == file.reason) {
            Some((_, files)) => files.push(file),
            None => groups.push((&file.reason, vec![file])),
        }
    }
    groups.sort_by_key(|(_, files)| std::cmp::Reverse(files.len()));
    let mut out = String::new();
    for (reason, files) in groups {
        let text = files.first().map(|f| one_line(&f.text)).unwrap_or_default();
        out.push_str(&format!("left  {} ({}): {text}\n", files.len(), one_line(reason)));
        for f in files.iter().take(NAMES) {
            out.push_str(&format!("      {}{}\n", look.path(&f.path.0), detail(f)));
        }
        if files.len() > NAMES {
            out.push_str(&format!("      and {} more\n", files.len() - NAMES));
        }
    }
    out
}

fn detail(file: &LeftFile) -> String {
    file.detail.as_ref().map(|d| format!(" ({})", one_line(d))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{before, piped, plain, terminal};
    use super::*;

    fn operation() -> OperationInfo {
        OperationInfo {
            id: 12,
            batch: 3,
            trigger: "watch".into(),
            kind: "move".into(),
            state: "done".into(),
            time_ns: before(180),
            rule: "photos".into(),
            why: "kind is image".into(),
            src: Some(std::path::Path::new("/home/a/Downloads/x\n\x1b[2J.jpg").into()),
            dst: Some(std::path::Path::new("/home/a/Pictures/x.jpg").into()),
            size: Some(1500),
            digest: None,
            tags: None,
            inverse_of: None,
            undo: false,
            undone_by: None,
            error: None,
            considered: None,
        }
    }

    #[test]
    fn a_list_is_one_line_an_operation_whatever_its_name() {
        let shown = plain(&list(&piped(), &[operation()]));
        let line = shown.lines().nth(1).unwrap();
        assert_eq!(
            line.trim_start(),
            "12      3  2026-11-21T11:57:00+00:00  move  done   \
             /home/a/Downloads/x\\n\\x1b[2J.jpg -> /home/a/Pictures/x.jpg  photos"
        );
        assert_eq!(shown.lines().count(), 2);
    }

    #[test]
    fn a_list_says_what_went_wrong() {
        let mut failed = operation();
        (failed.id, failed.state) = (13, "failed".into());
        failed.error = Some("cannot create /x\ny; free some space there".into());
        let shown = plain(&list(&piped(), &[failed, operation()]));
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[0].ends_with("RULE    ERROR"), "{shown}");
        assert!(
            lines[1].ends_with("photos  cannot create /x\\ny; free some space there"),
            "{shown}"
        );
        assert!(lines[2].ends_with("photos"), "{shown}");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn everything_about_one_operation() {
        let mut o = operation();
        o.undone_by = Some(20);
        insta::assert_snapshot!(plain(&full(&terminal(), &o)), @r"
        operation 12  move
          from      ~/Downloads/x\n\x1b[2J.jpg
          to        ~/Pictures/x.jpg
          rule      photos
          why       kind is image
          state     done, undone by operation 20
          time      2026-11-21T11:57:00+00:00 (3 min ago)
          batch     3 (watch)
          size      1.5 kB (1500 bytes)
        ");
    }

    #[test]
    fn plans_leave_out_directories_and_group_what_is_left() {
        let step = |kind: &str| PlannedStep {
            kind: kind.into(),
            src: operation().src,
            dst: operation().dst,
            rule: "photos".into(),
            why: "kind is image".into(),
            size: None,
            tags: None,
        };
        insta::assert_snapshot!(plan(&terminal(), &[step("mkdir"), step("move")]), @r"
        move  ~/Downloads/x\n\x1b[2J.jpg
           -> ~/Pictures/x.jpg
              photos: kind is image
        ");
        let file = |name: &str, reason: &str| LeftFile {
            path: std::path::Path::new(name).into(),
            reason: reason.into(),
            text: format!("text of {reason}"),
            rule: None,
            detail: None,
        };
        let mut files = vec![file("/a", "conflict")];
        files.extend((0..7).map(|i| file(&format!("/n{i}"), "no-rule")));
        insta::assert_snapshot!(left(&terminal(), &files), @r"
        left  7 (no-rule): text of no-rule
              /n0
              /n1
              /n2
              /n3
              /n4
              and 2 more
        left  1 (conflict): text of conflict
              /a
        ");
    }
}
