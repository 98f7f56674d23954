//! `config`: check, show, path. Needs no daemon.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidy_config::{Config, ConfigErrors, Environment, FolderNames};
use tidy_protocol::{ExitCode, WirePath};

use crate::cli::ConfigVerb;
use crate::error::Failure;
use crate::output;
use crate::render::count;
use crate::render::path::{printable, shown};
use crate::run::{Ended, Session};

/// Does one of them.
pub(crate) fn config(s: &mut Session, verb: &ConfigVerb) -> Ended {
    match verb {
        ConfigVerb::Check { file } => check(s, file.as_deref()),
        ConfigVerb::Show { file } => {
            let (env, path) = place(file.as_deref())?;
            let text =
                Config::load(&path)?.for_person(&env, &FolderNames::of_person(&env, None)).show();
            s.out.show(&json!({ "config": text }), |_, _| text.clone())?;
            Ok(ExitCode::Ok)
        }
        ConfigVerb::Path => {
            let path = WirePath(Environment::from_process()?.config_file());
            if s.out.json {
                s.out.json(&path)?;
            } else {
                // For `$(tidyctl config path)`: the bytes as they are, unless a person reads them.
                let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.0.as_os_str());
                let text = shown(path.0.as_os_str());
                let bytes = if s.out.look.terminal { text.as_bytes() } else { bytes };
                s.out.bytes(bytes)?;
                s.out.line("")?;
            }
            Ok(ExitCode::Ok)
        }
    }
}

fn place(file: Option<&Path>) -> Result<(Environment, PathBuf), Failure> {
    let env = Environment::from_process()?;
    let path = file.map_or_else(|| env.config_file(), Path::to_owned);
    Ok((env, path))
}

/// Everything that is wrong with a configuration.
#[derive(Default)]
struct Findings {
    roots: usize,
    rules: usize,
    tests: usize,
    errors: Vec<ConfigErrors>,
    failures: Vec<tidy_config::TestFailure>,
}

impl Findings {
    fn of(path: &Path, env: &Environment) -> Self {
        let mut found = Self::default();
        let config = match Config::load(path) {
            Ok(config) => config.for_person(env, &FolderNames::of_person(env, None)),
            Err(errors) => {
                found.errors.push(errors);
                return found;
            }
        };
        found.rules = config.rule_names().count();
        found.tests = config.test_count();
        found.failures = config.run_tests();
        match config.resolve(env) {
            Ok(resolved) => {
                found.roots = resolved.roots.len();
                found.errors.extend(resolved.check().err());
            }
            Err(errors) => found.errors.push(errors),
        }
        found
    }

    fn ok(&self) -> bool {
        self.errors.is_empty() && self.failures.is_empty()
    }

    fn to_json(&self, path: &Path) -> Value {
        let errors: Vec<_> = self.errors.iter().flat_map(|e| &e.errors).map(|e| {
            json!({ "line": e.line, "column": e.column, "key": e.key, "message": e.message, "hint": e.hint })
        }).collect();
        let failures: Vec<_> = self.failures.iter().map(|f| {
            json!({ "rule": f.rule, "line": f.line, "expected": f.expected, "got": f.got, "why": f.why })
        }).collect();
        json!({
            "file": WirePath::from(path), "ok": self.ok(), "roots": self.roots, "rules": self.rules,
            "tests": self.tests, "errors": errors, "test_failures": failures,
        })
    }
}

fn check(s: &mut Session, file: Option<&Path>) -> Ended {
    let (env, path) = place(file)?;
    let found = Findings::of(&path, &env);
    let code = if found.ok() { ExitCode::Ok } else { ExitCode::BadConfig };
    if s.out.json {
        s.out.json(&found.to_json(&path))?;
        return Ok(code);
    }
    let origin = shown(path.as_os_str());
    for errors in &found.errors {
        output::note(&format!("error: {}", printable(&errors.to_string())));
    }
    for failure in &found.failures {
        output::note(&format!("error: {origin}: {}", printable(&failure.to_string())));
    }
    if found.ok() {
        let (roots, rules) =
            (count(found.roots as u64, "folder"), count(found.rules as u64, "rule"));
        let tests = count(found.tests as u64, "rule test");
        s.out.line(format!("{origin}: {roots}, {rules} and {tests}, all good"))?;
    }
    Ok(code)
}
