//! A guess as a rule in the configuration's own words, and whether it would have done what the person did.

use tidy_config::Config;
use tidy_core::category::{BUILT_IN, Category};
use tidy_core::suggest::{Clause, Example};

/// A file that a rule is held against.
#[derive(Debug, Clone)]
pub(super) struct Tried {
    /// Below the watched folder, UTF-8.
    pub(super) path: String,
    pub(super) example: Example,
}

/// What a rule is to do.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// As the configuration spells the folder, with `/` at its end.
    Move(String),
    Leave,
}

/// A rule with one test, if it does what was done by hand with every file of `like`, and nothing with any of `unlike`.
pub(super) fn rule(
    name: &str,
    clauses: &[Clause],
    deed: &Deed,
    like: &[Tried],
    unlike: &[Tried],
) -> Option<String> {
    let when: Vec<String> = clauses.iter().map(clause).collect();
    let action = match deed {
        Deed::Move(to) => format!("move = {}", quoted(&braced(to))),
        Deed::Leave => "leave = true".to_owned(),
    };
    let rule =
        format!("[[rule]]\nname = {}\nwhen = {{ {} }}\n{action}\n", quoted(name), when.join(", "));
    // Behind it stands a rule that takes everything, so that "left alone" can be told from "left by this one".
    let mut whole = format!("watch = [\"~/watched\"]\n{rule}");
    for file in like {
        whole.push_str(&test(file, &expected(deed, &file.path)));
    }
    for file in unlike {
        whole.push_str(&test(file, &format!("others/{}", file_name(&file.path))));
    }
    whole.push_str("[[rule]]\nname = \"all others\"\nwhen = {}\nmove = \"others/\"\n[default]\n");
    match Config::parse(&whole, "a suggestion") {
        Ok(config) => {
            let failures = config.run_tests();
            if let Some(failure) = failures.first() {
                tracing::debug!(%failure, "a suggestion does not do what was done by hand");
                return None;
            }
        }
        Err(error) => {
            tracing::debug!(%error, "a suggestion cannot be read");
            return None;
        }
    }
    let shown = like.first().map(|f| test(f, &expected(deed, &f.path))).unwrap_or_default();
    let shown = shown.trim_end().replace('\n', "\n  ");
    Some(format!("{rule}\n  {shown}\n"))
}

fn expected(deed: &Deed, path: &str) -> String {
    match deed {
        Deed::Move(to) => format!("{to}{}", file_name(path)),
        Deed::Leave => "leave".to_owned(),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn clause(clause: &Clause) -> String {
    match clause {
        Clause::Kind(category) => format!("kind = {}", quoted(category.as_str())),
        Clause::Extension(list) => match list.as_slice() {
            [one] => format!("ext = {}", quoted(one)),
            list => {
                format!("ext = [{}]", list.iter().map(|e| quoted(e)).collect::<Vec<_>>().join(", "))
            }
        },
        Clause::Origin(host) => format!("origin = {}", quoted(host)),
        Clause::Name(words) => format!("name = {}", quoted(&format!("*{}*", words.join("*")))),
    }
}

fn test(file: &Tried, expect: &str) -> String {
    let Tried { path, example } = file;
    let mut given = vec![format!("path = {}", quoted(path))];
    if !path.contains('/') {
        given = vec![format!("name = {}", quoted(path))];
    }
    given.extend(example.category.as_ref().map(|c| format!("kind = {}", quoted(c.as_str()))));
    given.extend(example.host.as_ref().map(|h| format!("origin = {}", quoted(h))));
    format!("[[rule.test]]\ngiven  = {{ {} }}\nexpect = {}\n", given.join(", "), quoted(expect))
}

/// A category that a configuration without categories of its own knows.
pub(super) fn built_in(category: Option<Category>) -> Option<Category> {
    category.filter(|c| BUILT_IN.iter().any(|(name, _)| *name == c.as_str()))
}

/// A folder's name as a destination has it.
fn braced(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// A TOML basic string. JSON's escapes are TOML's, but for DEL, which names with control characters never get here with.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(path: &str, category: &str) -> Tried {
        let name = file_name(path);
        let example = Example { category: Some(Category::new(category)), ..Example::of_name(name) };
        Tried { path: path.into(), example }
    }

    #[test]
    fn a_rule_is_given_out_only_if_it_does_what_was_done() {
        let clauses =
            [Clause::Name(vec!["invoice".into()]), Clause::Kind(Category::new("document"))];
        let like =
            [tried("invoice \"1\".pdf", "document"), tried("sub/my Invoice.pdf", "document")];
        let unlike = [tried("invoice.jpg", "image"), tried("thesis.pdf", "document")];
        let to = Deed::Move("~/Bills {old}/".into());
        let text = rule("to Bills", &clauses, &to, &like, &unlike).unwrap();
        let want = [
            "[[rule]]",
            "name = \"to Bills\"",
            "when = { name = \"*invoice*\", kind = \"document\" }",
            "move = \"~/Bills {{old}}/\"",
            "",
            "  [[rule.test]]",
            "  given  = { name = \"invoice \\\"1\\\".pdf\", kind = \"document\" }",
            "  expect = \"~/Bills {old}/invoice \\\"1\\\".pdf\"",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), want);
        let read = Config::parse(&format!("watch = [\"~/x\"]\n{text}"), "x").unwrap();
        assert_eq!(read.run_tests(), []);
        assert_eq!(rule("x", &clauses[..1], &to, &like, &unlike), None, "it takes one too many");
        assert_eq!(rule("x", &clauses, &to, &unlike, &[]), None, "it takes none of them");
        assert!(
            rule("x", &clauses, &Deed::Leave, &like, &unlike).unwrap().contains("leave = true")
        );
    }
}
