//! `events`: what happens, as it happens.

use jiff::Timestamp;
use owo_colors::OwoColorize;
use tidy_protocol::{ClientError, Event, ExitCode, OperationInfo, Request, WirePath};

use super::organize::state;
use crate::render::path::one_line;
use crate::render::{Look, count, operation};
use crate::run::{Ended, Session};

/// Prints events until the connection ends.
pub(crate) fn events(s: &mut Session) -> Ended {
    let mut client = s.connect()?;
    let mut stopping = false;
    for event in client.stream(&Request::Subscribe)? {
        let event = match event {
            Ok(event) => event,
            // It said so before.
            Err(ClientError::Closed) if stopping => break,
            Err(e) => return Err(e.into()),
        };
        stopping |= event == Event::Stopping;
        if s.out.json {
            s.out.json(&event)?;
        } else if let Some(text) = text(&s.out.look, &event) {
            let time = Timestamp::now().to_zoned(s.out.look.tz.clone()).strftime("%H:%M:%S");
            s.out.line(format!("{} {text}", time.dimmed()))?;
        }
        // Whoever reads this wants it now.
        s.out.flush()?;
    }
    Ok(ExitCode::Ok)
}

/// One line; `None` for what people need not see.
fn text(look: &Look, event: &Event) -> Option<String> {
    Some(match event {
        Event::State(s) => {
            format!("tidyd is {}, {} pending", one_line(&s.state), pending(&s.pending))
        }
        Event::Operation(o) if operation::is_directory(&o.kind) => return None,
        Event::Operation(o) => operation_line(look, o),
        Event::Left(l) => format!("left   {}: {}", look.path(&l.path.0), one_line(&l.text)),
        Event::Job(j) => {
            let (kind, state) = (one_line(&j.kind), state(j.state));
            let files = match j.total {
                0 => count(j.done, "file"),
                total => format!("{} of {}", j.done, count(total, "file")),
            };
            format!("job {} ({kind}) {state}, {files}", j.id)
        }
        Event::Warning { path, text } => {
            let path = path.as_ref().map(|p| format!("{}: ", look.path(&p.0))).unwrap_or_default();
            format!("{} {path}{}", "warning:".yellow(), one_line(text))
        }
        Event::Paused { roots } => format!("paused {}", list(look, roots)),
        Event::Resumed { roots } => format!("resumed {}", list(look, roots)),
        Event::Reloaded => "the configuration was read again".into(),
        Event::Lagged { missed } => format!("missed: {}", count(*missed, "event")),
        Event::Stopping => "tidyd is stopping".into(),
        Event::Unknown => return None,
    })
}

fn pending(p: &tidy_protocol::Pending) -> String {
    super::service::pending(p).unwrap_or_else(|| "nothing".into())
}

fn operation_line(look: &Look, o: &OperationInfo) -> String {
    let (from, to) = (look.maybe_path(o.src.as_ref()), look.maybe_path(o.dst.as_ref()));
    let failed = match &o.error {
        Some(error) => format!(": {}", one_line(error).red()),
        None if o.state != "done" => format!(" ({})", one_line(&o.state)),
        None => String::new(),
    };
    format!(
        "{:<6} {from} -> {to}  [{}, operation {}]{failed}",
        one_line(&o.kind),
        one_line(&o.rule),
        o.id
    )
}

fn list(look: &Look, paths: &[WirePath]) -> String {
    paths.iter().map(|p| look.path(&p.0)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use tidy_protocol::LeftFile;

    use super::*;
    use crate::render::testing::terminal;

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let left = Event::Left(LeftFile {
            path: std::path::Path::new("/home/a/x\ny").into(),
            reason: "no-rule".into(),
            text: "no rule\ntakes it".into(),
            rule: None,
            detail: None,
        });
        assert_eq!(text(&terminal(), &left).unwrap(), "left   ~/x\\ny: no rule\\ntakes it");
        assert_eq!(text(&terminal(), &Event::Unknown), None);
    }
}
