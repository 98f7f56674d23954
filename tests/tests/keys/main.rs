//! Every key of a rule, against the real programs: each condition with files for which it holds, does not hold, or cannot
//! be told, by itself, negated and nested; each action with what becomes of a file, and that it comes back.
//!
//! The tables have exactly the keys that the configuration knows, so that none is documented and untested.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "changes scratch files of its own")]

mod actions;
mod conditions;
mod ground;

use std::collections::BTreeSet;

use tidy_tests::World;

#[test]
fn every_key_is_in_a_table() {
    let world = World::new();
    let known = |toml: &str| world.known_keys(toml);
    let conditions: BTreeSet<_> = conditions::ROWS.iter().map(|r| r.key.to_owned()).collect();
    let rule = "watch = [\"~/Downloads\"]\n[[rule]]\nname = \"a\"\n";
    assert_eq!(conditions, known(&format!("{rule}when = {{ no-such-key = 1 }}\ntrash = true\n")));

    let actions: BTreeSet<_> =
        actions::ROWS.iter().flat_map(|r| r.keys).map(|key| (*key).to_owned()).collect();
    assert_eq!(actions, known(&format!("{rule}when = {{}}\ntrash = true\nno-such-key = 1\n")));

    // What can be asked of a file can be given in a test, and the other way round; only these are not facts of a file.
    let about_others = ["any", "all", "none", "not", "has", "regex", "ext", "depth"];
    let given = known(&format!(
        "{rule}when = {{}}\ntrash = true\n[[rule.test]]\nexpect = \"trash\"\n\
         given = {{ name = \"x\", no-such-key = 1 }}\n"
    ));
    let facts: BTreeSet<_> =
        conditions.iter().filter(|k| !about_others.contains(&k.as_str())).cloned().collect();
    let given: BTreeSet<_> =
        given.into_iter().filter(|k| k != "beside" && k != "true_ext").collect();
    assert_eq!(given, facts);
}
