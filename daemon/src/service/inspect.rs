//! `tidyd inspect`: what files are, without the service.

use std::io::{self, Write};

use tidy_config::Config;
use tidy_protocol::ExitCode as Code;

use super::{Fatal, configure};
use crate::cli::{InspectOptions, Options};
use crate::describe::{self, Describe, Form};
use crate::inspect::CategoryTable;
use crate::readers::Readers;
use crate::telemetry;

/// Runs it.
pub(super) fn run(options: &Options, what: &InspectOptions) -> Result<Code, Fatal> {
    let readers = (!what.no_metadata).then(Readers::start);
    if let Some(why) = readers.as_ref().and_then(Readers::trouble) {
        telemetry::complain(why, Some("only what the files are can be told"));
    }
    let describe = Describe {
        kinds: categories(&Options { config: what.config.clone(), ..options.clone() })?,
        readers,
        form: if what.json { Form::Json } else { Form::Text },
    };
    let mut names = describe::Names::new(what.files.clone(), what.null, io::stdin().lock());
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (mut told, mut failed) = (0usize, 0usize);
    loop {
        let batch = names.batch().map_err(|e| {
            Fatal::new(
                Code::Failed,
                format!("standard input cannot be read: {e}"),
                if e.kind() == io::ErrorKind::InvalidData {
                    "give one name a line, or with `-0` names that end in NUL, as `find -print0` does"
                } else {
                    "name the files instead"
                },
            )
        })?;
        if batch.is_empty() {
            break;
        }
        for line in describe.all(&batch) {
            let written = match line {
                Ok(line) => {
                    told += 1;
                    out.write_all(line.as_bytes())
                }
                Err(why) => {
                    failed += 1;
                    // What came before it stands before it, where both go to the same terminal.
                    let flushed = out.flush();
                    telemetry::complain(&why, None);
                    flushed
                }
            };
            if let Some(end) = ends(written) {
                return end;
            }
        }
        if let Some(end) = ends(out.flush()) {
            return end;
        }
    }
    Ok(match (told, failed) {
        (_, 0) => Code::Ok,
        (0, _) => Code::Failed,
        _ => Code::Partly,
    })
}

/// How it ends when an answer could not be written.
fn ends(written: io::Result<()>) -> Option<Result<Code, Fatal>> {
    let error = written.err()?;
    if error.kind() == io::ErrorKind::BrokenPipe {
        // Whoever read has seen enough.
        return Some(Ok(Code::Ok));
    }
    let message = format!("the answer cannot be written: {error}");
    Some(Err(Fatal::new(Code::Failed, message, "check where standard output goes")))
}

/// The built-in categories, and those of the configuration, if there is one.
fn categories(options: &Options) -> Result<CategoryTable, Fatal> {
    let Some(path) = configure::file_of(options)? else { return Ok(CategoryTable::default()) };
    let config = Config::load(&path).map_err(configure::bad)?;
    Ok(configure::categories(config.categories()))
}
