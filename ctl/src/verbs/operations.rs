//! `log` and `show`.

use std::cell::Cell as Noted;

use owo_colors::OwoColorize;
use tidy_protocol::{BatchInfo, LogQuery, OperationInfo, Page, Request, Response};

use super::pages::List;
use crate::cli::{LogArgs, ShowArgs};
use crate::error::Failure;
use crate::given::{self, Target};
use crate::render::path::one_line;
use crate::render::{Look, count, operation, size, table};
use crate::run::{Ended, Session};

/// What was done, newest first.
pub(crate) fn log(s: &mut Session, args: &LogArgs) -> Ended {
    if args.batches {
        return batches(s, args.limit);
    }
    let path = args.path.as_deref().map(given::directory).transpose().map_err(Failure::from_cwd)?;
    // Who asks for a kind gets it.
    let all = args.all || args.kind.is_some();
    let request = |cursor, limit| {
        Request::Log(LogQuery {
            state: args.state.clone(),
            rule: args.rule.clone(),
            path: path.clone(),
            kind: args.kind.clone(),
            since_ns: args.since,
            until_ns: args.until,
            cursor,
            limit: Some(limit),
        })
    };
    let list = List {
        request: &request,
        page: |answer| match answer {
            Response::Log(page) => Some(page),
            _ => None,
        },
        keep: &|o: &OperationInfo| all || !operation::is_directory(&o.kind),
        show: operation::list,
        none: "nothing was done",
        limit: args.limit,
    };
    list.run(s)
}

fn batches(s: &mut Session, limit: Option<u64>) -> Ended {
    let list = List {
        request: &|cursor, limit| Request::Batches { cursor, limit: Some(limit) },
        page: |answer| match answer {
            Response::Batches(page) => Some(page),
            _ => None,
        },
        keep: &|_| true,
        show: batch_list,
        none: "nothing was done",
        limit,
    };
    list.run(s)
}

fn batch_list(look: &Look, batches: &[BatchInfo]) -> String {
    let mut table = table::table(look, ["BATCH", "TIME", "BY", "FILES", "FAILED", "SIZE", "RULES"]);
    for b in batches {
        table.add_row([
            table::number(b.id),
            table::whole(look.moment(b.time_ns)),
            table::whole(one_line(&b.trigger)),
            table::number(b.done),
            table::number(b.failed),
            table::number(size::readable(b.bytes)),
            table::words(one_line(&b.rules.join(", "))),
        ]);
    }
    table.fitting().unwrap_or_else(|| batches.iter().map(|b| short(look, b)).collect())
}

/// Several lines a batch, where there is no room for a column of rules.
fn short(look: &Look, b: &BatchInfo) -> String {
    let (files, bytes) = (count(b.done, "file"), size::readable(b.bytes));
    let mut lines = vec![
        format!("{} {}, {}", b.id.bold(), one_line(&b.trigger), look.moment(b.time_ns)),
        format!("   {files}, {bytes}"),
    ];
    if b.failed > 0 {
        lines.push(format!("   {}", format!("{} failed", b.failed).red()));
    }
    lines.push(format!("   {}", one_line(&b.rules.join(", "))));
    lines.join("\n") + "\n"
}

/// Everything about one operation or a batch.
pub(crate) fn show(s: &mut Session, args: &ShowArgs) -> Ended {
    let (operation, batch) = match args.target {
        Target::Operation(id) => (Some(id), None),
        Target::Batch(id) => (None, Some(id)),
    };
    let is_rollback = Noted::new(false);
    let list = List {
        request: &|cursor, limit| Request::Show { operation, batch, cursor, limit: Some(limit) },
        page: |answer| match answer {
            Response::Show(shown) => {
                Some(Page { items: shown.operations, cursor: shown.cursor, partial: false })
            }
            _ => None,
        },
        keep: &|o: &OperationInfo| {
            is_rollback.set(o.trigger == "rollback");
            true
        },
        show: all_of_each,
        none: "nothing was done",
        limit: args.limit,
    };
    let code = list.run_as(s, Some("operations"))?;
    if let Some(batch) = batch {
        // A rollback is not rolled back but taken back.
        let (what, verb) = if is_rollback.get() { ("take", "redo") } else { ("put", "rollback") };
        s.out.remark(&format!("{what} it back with: tidyctl {verb} batch:{batch}"))?;
    }
    Ok(code)
}

fn all_of_each(look: &Look, operations: &[OperationInfo]) -> String {
    let texts: Vec<_> = operations.iter().map(|o| operation::full(look, o)).collect();
    texts.join("\n")
}
