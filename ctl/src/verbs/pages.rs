//! Lists that come in pages.

use serde::Serialize;
use tidy_protocol::{Client, Page, Request, Response};

use crate::error::Failure;
use crate::output::note;
use crate::render::Look;
use crate::run::{Ended, Session};
use tidy_protocol::ExitCode;

/// Lines for people when they do not say how many.
const HUMAN_LIMIT: u64 = 50;

/// Rows asked for at once; the daemon may give fewer.
const PAGE: u64 = 500;

/// Said where a list is not all that may be meant.
const PARTIAL: &str = "so many names may be meant that only the shortest were compared: give more of the name, or a folder";

/// What is to be known of a list beside its rows.
#[derive(Debug, Clone, Copy, Default)]
struct Rest {
    /// There may be more rows.
    more: bool,
    partial: bool,
}

/// A list: how to ask for a page of it, and how to show it.
pub(crate) struct List<'l, T> {
    /// The request for so many rows from a cursor on.
    pub(crate) request: &'l dyn Fn(Option<String>, u32) -> Request,
    pub(crate) page: fn(Response) -> Option<Page<T>>,
    /// Rows people do not ask for; programs get all.
    pub(crate) keep: &'l dyn Fn(&T) -> bool,
    pub(crate) show: fn(&Look, &[T]) -> String,
    /// What to say of an empty list.
    pub(crate) none: &'l str,
    pub(crate) limit: Option<u64>,
}

impl<T: Serialize> List<'_, T> {
    /// Fetches and shows it.
    pub(crate) fn run(&self, s: &mut Session) -> Ended {
        self.run_as(s, None)
    }

    /// The same; as JSON under this key of an object, if there is one.
    pub(crate) fn run_as(&self, s: &mut Session, key: Option<&str>) -> Ended {
        let mut client = s.connect()?;
        if s.out.json {
            let mut array = s.out.array(key);
            let rest =
                self.each(&mut client, self.limit.unwrap_or(u64::MAX), &|_| true, |row| {
                    Ok(array.push(&row)?)
                })?;
            array.end()?;
            if rest.partial && !s.out.quiet {
                note(PARTIAL);
            }
            return Ok(ExitCode::Ok);
        }
        let mut rows = Vec::new();
        let limit = self.limit.unwrap_or(HUMAN_LIMIT);
        let rest = self.each(&mut client, limit, self.keep, |row| {
            rows.push(row);
            Ok(())
        })?;
        if rows.is_empty() {
            s.out.remark(self.none)?;
            return Ok(ExitCode::Ok);
        }
        let text = (self.show)(&s.out.look, &rows);
        s.out.long(&text)?;
        if rest.more && self.limit.is_none() {
            s.out.remark(&format!("the first {limit} are shown; --limit N shows more"))?;
        }
        if rest.partial {
            s.out.remark(PARTIAL)?;
        }
        Ok(ExitCode::Ok)
    }

    /// Hands on up to `limit` rows.
    fn each(
        &self,
        client: &mut Client,
        limit: u64,
        keep: &dyn Fn(&T) -> bool,
        mut take: impl FnMut(T) -> Result<(), Failure>,
    ) -> Result<Rest, Failure> {
        let (mut cursor, mut left) = (None, limit);
        let mut rest = Rest { more: true, partial: false };
        while left > 0 {
            let ask = u32::try_from(left.min(PAGE)).unwrap_or(u32::MAX);
            let answer = client.call(&(self.request)(cursor.take(), ask))?;
            let page = (self.page)(answer).ok_or(Failure::Unexpected)?;
            rest.partial |= page.partial;
            for row in page.items.into_iter().filter(|row| keep(row)) {
                if left == 0 {
                    return Ok(rest);
                }
                take(row)?;
                left -= 1;
            }
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(Rest { more: false, ..rest });
            }
        }
        Ok(rest)
    }
}
