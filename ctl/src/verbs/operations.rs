//! `log` and `show`.

use comfy_table::Cell;
use tidy_protocol::{BatchInfo, ExitCode, LogQuery, OperationInfo, Request, Response};

use super::expect_answer;
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
            Cell::new(look.moment(b.time_ns)),
            Cell::new(one_line(&b.trigger)),
            table::number(b.done),
            table::number(b.failed),
            table::number(size::readable(b.bytes)),
            Cell::new(one_line(&b.rules.join(", "))),
        ]);
    }
    table::text(&table)
}

/// Everything about one operation or a batch.
pub(crate) fn show(s: &mut Session, args: &ShowArgs) -> Ended {
    let (operation, batch) = match args.target {
        Target::Operation(id) => (Some(id), None),
        Target::Batch(id) => (None, Some(id)),
    };
    let shown = expect_answer!(s.ask(&Request::Show { operation, batch })?, Show);
    s.out.show(&shown, |look, shown| {
        let texts: Vec<_> = shown.operations.iter().map(|o| operation::full(look, o)).collect();
        let mut out = texts.join("\n");
        if let Some(batch) = batch {
            let files = shown.operations.iter().filter(|o| !operation::is_directory(&o.kind));
            let files = count(files.count() as u64, "file");
            out.push_str(&format!(
                "\nbatch {batch}: {files}; put back with: tidyctl rollback batch:{batch}\n"
            ));
        }
        out
    })?;
    Ok(ExitCode::Ok)
}
