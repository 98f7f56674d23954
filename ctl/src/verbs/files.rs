//! `files`, `file`, `duplicates`, `categories`, `rules`.

use owo_colors::OwoColorize;
use tidy_protocol::{
    CategoryInfo, DuplicateGroup, ExitCode, FileInfo, FileQuery, Request, Response, RuleInfo,
    Stored,
};

use super::expect_answer;
use super::pages::List;
use crate::cli::{DuplicatesArgs, FileArgs, FilesArgs};
use crate::condition;
use crate::error::Failure;
use crate::given;
use crate::render::path::one_line;
use crate::render::{Look, count, operation, size, table, time};
use crate::run::{Ended, Session};

/// Known files.
pub(crate) fn files(s: &mut Session, args: FilesArgs) -> Ended {
    let under =
        args.under.as_deref().map(given::directory).transpose().map_err(Failure::from_cwd)?;
    let mut conditions = args.conditions;
    conditions.extend(args.media_type.as_deref().map(condition::of_type));
    let (name, fuzzy) = if args.fuzzy { (None, args.name) } else { (args.name, None) };
    let query = FileQuery {
        name,
        fuzzy,
        category: args.category,
        min_size: args.min_size,
        max_size: args.max_size,
        modified_since_ns: args.since,
        modified_until_ns: args.until,
        under,
        digest: args.digest,
        outcome: args.outcome,
        condition: condition::all(&conditions),
        sort: args.sort,
        reverse: args.reverse,
        cursor: None,
        limit: None,
    };
    let list = List {
        request: &|cursor, limit| {
            Request::Files(FileQuery { cursor, limit: Some(limit), ..query.clone() })
        },
        page: |answer| match answer {
            Response::Files(page) => Some(page),
            _ => None,
        },
        keep: &|_| true,
        show: file_list,
        none: "no such files",
        limit: args.limit,
    };
    list.run(s)
}

fn file_list(look: &Look, files: &[FileInfo]) -> String {
    let mut table = table::table(look, ["SIZE", "MODIFIED", "CATEGORY", "STATE", "PATH"]);
    for f in files {
        table.add_row([
            table::number(size::readable(f.size)),
            table::whole(look.moment(f.modified_ns)),
            table::whole(one_line(f.category.as_deref().unwrap_or("-"))),
            table::state(&f.stored.outcome),
            table::path(look.path(&f.path.0)),
        ]);
    }
    table.fitting().unwrap_or_else(|| files.iter().map(|f| short(look, f)).collect())
}

/// Two lines a file, where a column for paths would be too narrow.
fn short(look: &Look, f: &FileInfo) -> String {
    let (size, moment) = (size::readable(f.size), look.moment(f.modified_ns));
    let category = one_line(f.category.as_deref().unwrap_or("no category"));
    let outcome = one_line(&f.stored.outcome);
    format!("{}\n   {size}, {moment}, {category}, {outcome}\n", look.path(&f.path.0).bold())
}

/// One file.
pub(crate) fn file(s: &mut Session, args: &FileArgs) -> Ended {
    let path = given::path(&args.file).map_err(Failure::from_cwd)?;
    let file = expect_answer!(s.ask(&Request::File { path })?, File);
    s.out.show(&*file, one_file)?;
    Ok(ExitCode::Ok)
}

fn one_file(look: &Look, f: &FileInfo) -> String {
    let mut lines = vec![look.path(&f.path.0).bold().to_string()];
    let mut line = |name: &str, value: String| lines.push(format!("  {name:<9} {value}"));
    line("size", format!("{} ({})", size::readable(f.size), count(f.size, "byte")));
    line("modified", time::absolute(f.modified_ns, &look.tz));
    if let Some(category) = &f.category {
        line("category", one_line(category));
    }
    if let Some(digest) = &f.digest {
        line("digest", format!("blake3 {}", one_line(digest)));
    }
    line("state", stored(&f.stored));
    if !f.history.is_empty() {
        lines.push("history".into());
        lines.push(operation::list(look, &f.history).trim_end().to_owned());
    }
    lines.join("\n") + "\n"
}

/// What became of a file, in a few words.
pub(super) fn stored(stored: &Stored) -> String {
    let mut out = one_line(&stored.outcome);
    if let Some(rule) = &stored.rule {
        out.push_str(&format!(" by rule {}", one_line(rule)));
    }
    if let Some(operation) = stored.operation {
        out.push_str(&format!(" (operation {operation})"));
    }
    if let Some(text) = stored.text.as_ref().or(stored.reason.as_ref()) {
        out.push_str(&format!(": {}", one_line(text)));
    }
    out
}

/// Equal files.
pub(crate) fn duplicates(s: &mut Session, args: &DuplicatesArgs) -> Ended {
    let list = List {
        request: &|cursor, limit| Request::Duplicates { cursor, limit: Some(limit) },
        page: |answer| match answer {
            Response::Duplicates(page) => Some(page),
            _ => None,
        },
        keep: &|_| true,
        show: groups,
        none: "no duplicates are known",
        limit: args.limit,
    };
    list.run(s)
}

fn groups(look: &Look, groups: &[DuplicateGroup]) -> String {
    let mut out = String::new();
    for g in groups {
        let copies = count(g.paths.len() as u64, "copy");
        let (wasted, each) = (size::readable(g.wasted), size::readable(g.size));
        out.push_str(&format!("{}  {copies} of {each}\n", format!("{wasted} wasted").bold()));
        for path in &g.paths {
            out.push_str(&format!("      {}\n", look.path(&path.0)));
        }
    }
    let wasted = groups.iter().fold(0_u64, |sum, g| sum.saturating_add(g.wasted));
    let total = count(groups.len() as u64, "group");
    out.push_str(&format!("{total}, {} wasted\n", size::readable(wasted)));
    out
}

/// Files by category.
pub(crate) fn categories(s: &mut Session) -> Ended {
    let categories = expect_answer!(s.ask(&Request::Categories)?, Categories);
    s.out.show(&categories, |look, all| {
        let mut table = table::table(look, ["CATEGORY", "FILES", "SIZE"]);
        for CategoryInfo { category, files, bytes } in all {
            let (files, bytes) = (table::number(files), table::number(size::readable(*bytes)));
            table.add_row([table::whole(one_line(category)), files, bytes]);
        }
        table.text()
    })?;
    Ok(ExitCode::Ok)
}

/// What each rule has done.
pub(crate) fn rules(s: &mut Session) -> Ended {
    let rules = expect_answer!(s.ask(&Request::Rules)?, Rules);
    s.out.show(&rules, |look, rules| {
        let mut table = table::table(look, ["RULE", "FILES", "SIZE", "LAST", "NOTE"]);
        for RuleInfo { rule, configured, hits, bytes, last_hit_ns } in rules {
            table.add_row([
                table::whole(one_line(rule)),
                table::number(hits),
                table::number(size::readable(*bytes)),
                table::whole(last_hit_ns.map_or("never".to_owned(), |ns| look.moment(ns))),
                table::words(if *configured { "" } else { "no longer configured" }),
            ]);
        }
        table.text()
    })?;
    Ok(ExitCode::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{piped, plain};

    #[test]
    fn groups_of_copies_name_every_path_and_the_sum() {
        let group = |wasted, paths: &[&str]| DuplicateGroup {
            digest: "0".repeat(64),
            size: 1000,
            wasted,
            paths: paths.iter().map(|p| std::path::Path::new(p).into()).collect(),
        };
        let shown = plain(&groups(
            &piped(),
            &[group(2000, &["/a", "/b\n", "/c"]), group(1000, &["/d", "/e"])],
        ));
        insta::assert_snapshot!(shown, @r"
        2.0 kB wasted  3 copies of 1.0 kB
              /a
              /b\n
              /c
        1.0 kB wasted  2 copies of 1.0 kB
              /d
              /e
        2 groups, 3.0 kB wasted
        ");
    }
}
