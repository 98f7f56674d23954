use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use globset::{Glob, GlobSet};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::UnixNanos;
use crate::facts::{Fact, Facts, Kind, Source};
use crate::plan::model::stat;
use crate::template::Base;

const DAY: u64 = 86_400_000_000_000;

fn facts(name: &str) -> Facts {
    Facts::new(Path::new("/r").join(name), Arc::from(Path::new("/r")), stat(1, 100, 0))
}

fn with_kind(mut f: Facts, category: &str, media_type: &'static str) -> Facts {
    let category = Category::new(category);
    let kind = Kind { media_type: media_type.into(), category, mismatch: false, true_ext: None };
    f.kind = Fact::Known(kind, Source::Signature);
    f
}

fn test(test: Test) -> Condition {
    Condition::Test(test, "a test".into())
}

fn name(glob: &str) -> Condition {
    test(Test::Name(GlobSet::builder().add(Glob::new(glob).unwrap()).build().unwrap()))
}

fn kind(category: &str) -> Condition {
    test(Test::Category(vec![Category::new(category)]))
}

fn to(text: &str) -> Template {
    Template::parse(text, Base::Root, &TimeZone::UTC).unwrap()
}

fn rule(name: &str, when: Condition, action: Action) -> Rule {
    Rule {
        name: name.into(),
        when,
        action,
        conflict: None,
        companions: None,
        requirement: None,
        tags: None,
        run: None,
        notice: None,
        go_on: false,
    }
}

fn rules(rules: Vec<Rule>) -> RuleSet {
    RuleSet { rules, default: Vec::new(), fingerprint: 1 }
}

fn decided(set: &RuleSet, f: &Facts, now: UnixNanos) -> Decision {
    match decide(set, f, now) {
        Outcome::Decided(d) => d,
        Outcome::Needs(need) => panic!("needs {need:?}"),
    }
}

fn taken_by(d: &Decision) -> Vec<&str> {
    match &d.verdict {
        Verdict::Act(acts) => acts.iter().map(|a| &*a.rule).collect(),
        Verdict::Leave(..) => Vec::new(),
    }
}

fn leaf(truth: Truth) -> Condition {
    // An unreadable kind is unknown, an unread origin needs reading; names are true or false.
    match truth {
        Truth::True => name("*"),
        Truth::False => name("no such name"),
        Truth::Unknown => kind("image"),
        Truth::Needs(_) => test(Test::Origin(GlobSet::empty())),
    }
}

#[test]
fn unknown_is_neither_true_nor_made_true_by_negation() {
    use Truth::{False, Needs, True, Unknown};
    let needs = Needs(Need::Origin);
    let mut f = facts("x");
    f.kind = Fact::Unreadable("I/O error".into());
    let table: &[(&[Truth], Truth, Truth, Truth)] = &[
        // members, all, any, none
        (&[], True, False, True),
        (&[True, True], True, True, False),
        (&[True, False], False, True, False),
        (&[False, False], False, False, True),
        (&[True, Unknown], Unknown, True, False),
        (&[False, Unknown], False, Unknown, Unknown),
        (&[Unknown], Unknown, Unknown, Unknown),
        // Nothing is read when what is known settles it, in whatever order it is written.
        (&[needs, False], False, needs, needs),
        (&[needs, True], needs, True, False),
        (&[needs, Unknown], needs, needs, needs),
    ];
    for (members, all, any, none) in table {
        let of = || members.iter().map(|t| leaf(*t)).collect::<Vec<_>>();
        for (condition, expected) in [
            (Condition::All(of()), all),
            (Condition::Any(of()), any),
            (Condition::None(of()), none),
        ] {
            let mut found = condition::Findings::default();
            let truth = condition.evaluate(&f, UnixNanos(0), &mut found);
            assert_eq!(truth, *expected, "{members:?} in {condition:?}");
        }
    }
}

#[test]
fn the_first_match_wins_and_the_trace_says_why_the_others_did_not() {
    let set = rules(vec![
        rule("jpg", name("*.jpg"), Action::Move(to("Pictures/"))),
        rule("x", name("x*"), Action::Move(to("X/"))),
        rule("all", name("*"), Action::Trash),
    ]);
    let d = decided(&set, &facts("x.png"), UnixNanos(0));
    assert_eq!(taken_by(&d), ["x"]);
    let trace: Vec<_> = d.trace.iter().map(|t| (&*t.rule, t.matched)).collect();
    assert_eq!(trace, [("jpg", Truth::False), ("x", Truth::True)]);
    assert_eq!(d.why(&"x".into()), "a test (x.png)");
}

#[test]
fn continue_lets_later_rules_see_the_file_as_it_will_be() {
    let rename = Template::parse_name("{stem}.jpg", &TimeZone::UTC).unwrap();
    let mut first = rule("rename", name("*.png"), Action::Rename(rename));
    first.go_on = true;
    let set = rules(vec![
        first,
        rule("png", name("*.png"), Action::Trash),
        rule("jpg", name("*.jpg"), Action::Move(to("Pictures/"))),
    ]);
    assert_eq!(taken_by(&decided(&set, &facts("x.png"), UnixNanos(0))), ["rename", "jpg"]);
}

#[test]
fn what_only_got_another_name_still_goes_by_its_category() {
    let rename = Template::parse_name("{stem}.png", &TimeZone::UTC).unwrap();
    let f = with_kind(facts("x.jpg"), "image", "image/png");
    for (action, expected) in [
        (Action::Rename(rename), &["first", "default image"][..]),
        (Action::Copy(to("Copies/")), &["first", "default image"][..]),
        (Action::Move(to("Mine/")), &["first"][..]),
    ] {
        let mut first = rule("first", name("*.jpg"), action);
        first.go_on = true;
        let mut set = rules(vec![first]);
        set.default = vec![(Category::new("image"), to("Pictures/"))];
        let d = decided(&set, &f, UnixNanos(0));
        assert_eq!(taken_by(&d), expected);
        // Each step is journaled with its own reason.
        assert_eq!(d.why(&"first".into()), "a test (x.jpg)");
    }
}

#[test]
fn leave_ends_the_search() {
    let set = rules(vec![
        rule("keep", name("keep*"), Action::Leave),
        rule("all", name("*"), Action::Trash),
    ]);
    let d = decided(&set, &facts("keep me"), UnixNanos(0));
    assert_eq!(d.verdict, Verdict::Leave(LeaveReason::Rule, Some("keep".into())));
}

#[test]
fn a_file_is_opened_only_when_a_rule_asks() {
    let set = rules(vec![
        rule("name", name("*.jpg"), Action::Trash),
        rule("kind", Condition::All(vec![kind("image"), name("*.x")]), Action::Trash),
    ]);
    assert_eq!(taken_by(&decided(&set, &facts("a.jpg"), UnixNanos(0))), ["name"]);
    let left = decided(&set, &facts("a.txt"), UnixNanos(0));
    assert_eq!(left.verdict, Verdict::Leave(LeaveReason::NoRule, None));
    assert_eq!(decide(&set, &facts("a.x"), UnixNanos(0)), Outcome::Needs(Need::Kind));
}

#[test]
fn a_destination_may_need_a_fact_that_no_condition_asked_for() {
    let set = rules(vec![rule("sort", name("*"), Action::Move(to("{category}/")))]);
    assert_eq!(decide(&set, &facts("a"), UnixNanos(0)), Outcome::Needs(Need::Kind));
    let f = with_kind(facts("a"), "image", "image/png");
    assert_eq!(taken_by(&decided(&set, &f, UnixNanos(0))), ["sort"]);
}

#[test]
fn defaults_go_by_the_nearest_category() {
    let mut set = rules(Vec::new());
    set.default = vec![(Category::new("document"), to("Documents/"))];
    let sheet = with_kind(facts("a.ods"), "spreadsheet", "application/x-ods");
    assert_eq!(taken_by(&decided(&set, &sheet, UnixNanos(0))), ["default document"]);
    set.default.push((Category::new("spreadsheet"), to("Sheets/")));
    assert_eq!(taken_by(&decided(&set, &sheet, UnixNanos(0))), ["default spreadsheet"]);
    let other = with_kind(facts("a.zip"), "archive", "application/zip");
    assert_eq!(taken_by(&decided(&set, &other, UnixNanos(0))), [""; 0]);
}

#[test]
fn what_cannot_be_read_is_left_and_said() {
    let set = rules(vec![rule("kind", kind("image"), Action::Trash)]);
    let mut f = facts("a");
    f.kind = Fact::Unreadable("permission denied".into());
    let d = decided(&set, &f, UnixNanos(0));
    assert_eq!(d.verdict, Verdict::Leave(LeaveReason::Unreadable, None));
    assert_eq!(d.trace[0].checked[0].seen, "permission denied");
}

#[test]
fn an_age_rule_says_when_to_look_again() {
    let older = Range { min: 30 * DAY + 1, max: u64::MAX };
    let age = Test::Age { of: TimeOf::Modified, range: older };
    let set = rules(vec![rule("old", test(age), Action::Trash)]);
    let f = facts("a");
    let young = decided(&set, &f, UnixNanos(0).plus(Duration::from_nanos(DAY)));
    assert_eq!(taken_by(&young), [""; 0]);
    let flips = young.revisit_at.unwrap();
    assert_eq!(flips, UnixNanos(30 * DAY as i64 + 1));
    assert_eq!(taken_by(&decided(&set, &f, flips)), ["old"]);
    let before = UnixNanos(flips.0 - 1);
    assert_eq!(taken_by(&decided(&set, &f, before)), [""; 0]);
    assert_eq!(decided(&set, &f, flips).revisit_at, None);
}

#[test]
fn names_match_whatever_unicode_form_they_are_written_in() {
    let set = rules(vec![rule("n", name("caf\u{e9}*"), Action::Trash)]);
    assert_eq!(taken_by(&decided(&set, &facts("cafe\u{301}.txt"), UnixNanos(0))), ["n"]);
}

proptest! {
    /// Whatever the rules, deciding asks for each fact at most once and then decides, and the same
    /// question has the same answer.
    #[test]
    fn deciding_ends(
        shape in prop::collection::vec((0u8..5, any::<bool>(), any::<bool>()), 0..8),
        age in 0i64..100,
    ) {
        let condition = |which: u8| match which {
            0 => name("*.a"),
            1 => kind("image"),
            2 => test(Test::Duplicate(true)),
            3 => test(Test::Origin(GlobSet::empty())),
            _ => test(Test::Age { of: TimeOf::Changed, range: Range { min: 50, max: 60 } }),
        };
        let of = shape.iter().enumerate().map(|(i, (which, negate, go_on))| {
            let c = condition(*which);
            let when = if *negate { Condition::None(vec![c]) } else { c };
            let mut r = rule(&i.to_string(), when, Action::Move(to("{category}/")));
            r.go_on = *go_on;
            r
        });
        let set = rules(of.collect());
        let mut f = facts("x.a");
        let mut asked = Vec::new();
        let decision = loop {
            match decide(&set, &f, UnixNanos(age)) {
                Outcome::Decided(d) => break d,
                Outcome::Needs(need) => {
                    prop_assert!(!asked.contains(&need), "{:?} twice", need);
                    asked.push(need);
                    match need {
                        Need::Kind => f = with_kind(f, "image", "image/png"),
                        Need::Origin => f.origin = Fact::Absent,
                        Need::Attributes => f.attributes = Fact::Absent,
                        Need::Metadata => f.metadata = Fact::Absent,
                        Need::Text => f.text = Fact::Absent,
                        Need::Duplicate => f.duplicate_of = Fact::Absent,
                    }
                }
            }
        };
        prop_assert_eq!(Outcome::Decided(decision), decide(&set, &f, UnixNanos(age)));
    }
}

#[test]
fn what_could_not_be_read_is_unknown_and_what_is_not_there_is_false() {
    use crate::facts::Source;
    use crate::metadata::{Key, Metadata};
    let has = || test(Test::Has(vec![Key::Artist]));
    let long = || test(Test::Number(Key::Width, Range { min: 10, max: u64::MAX }));
    let no = Condition::None(vec![has()]);
    let set =
        rules(vec![rule("no artist", no, Action::Trash), rule("long", long(), Action::Trash)]);
    let verdict = |metadata: Fact<Metadata>| {
        let mut f = facts("/r/x");
        assert_eq!(decide(&set, &f, UnixNanos(0)), Outcome::Needs(Need::Metadata));
        f.metadata = metadata;
        let Outcome::Decided(d) = decide(&set, &f, UnixNanos(0)) else { panic!() };
        d
    };
    let mut m = Metadata::default();
    m.put_text(Key::Artist, Some("x"), Source::Tags);
    let known = verdict(Fact::Known(m, Source::Tags));
    assert_eq!(known.verdict, Verdict::Leave(LeaveReason::NoRule, None));
    assert!(matches!(verdict(Fact::Absent).verdict, Verdict::Act(_)));
    let unreadable = verdict(Fact::Unreadable("damaged".into()));
    assert_eq!(unreadable.verdict, Verdict::Leave(LeaveReason::Unreadable, None));
    assert_eq!(unreadable.trace[0].matched, Truth::Unknown);
}

#[test]
fn what_an_expression_captures_goes_into_the_destination() {
    use crate::facts::Source;
    use regex::bytes::Regex;
    let number = Regex::new(r"(?i)invoice\D*(?P<no>\d+)").unwrap();
    let client = Regex::new(r"^(?P<client>[a-z]+)_").unwrap();
    let when = Condition::All(vec![test(Test::NameRegex(client)), test(Test::Content(number))]);
    assert_eq!(when.capture_names(), ["name.client", "text.no"]);
    let set =
        rules(vec![rule("invoices", when, Action::Move(to("{name.client}/{text.no}.{ext}")))]);
    let mut f = facts("/r/acme_scan.pdf");
    assert_eq!(decide(&set, &f, UnixNanos(0)), Outcome::Needs(Need::Text));
    f.text = Fact::Known("ACME\nInvoice no. 4711 of May".into(), Source::Document);
    let Outcome::Decided(decision) = decide(&set, &f, UnixNanos(0)) else { panic!() };
    let Verdict::Act(acts) = &decision.verdict else { panic!("{decision:?}") };
    f.captures = acts[0].captures.clone();
    let place = acts[0].action.template().unwrap().destination(&f, false).unwrap();
    assert_eq!(place.rel(), std::path::Path::new("acme/4711.pdf"));
    assert!(decision.why(&"invoices".into()).contains("Invoice no. 4711"), "{decision:?}");
}

/// A picture that says when it was taken, or nothing.
fn picture(file: &str, taken: bool) -> Facts {
    use crate::metadata::{Key, Metadata, Moment, Value};
    let mut f = with_kind(facts(file), "image", "image/jpeg");
    f.metadata = Fact::Absent;
    if taken {
        let mut says = Metadata::default();
        let at = Moment::Local("2024-05-06T10:00:00".parse().unwrap());
        says.put(Key::Taken, Value::Moment(at), Source::Exif);
        f.metadata = Fact::Known(says, Source::Content);
    }
    f
}

#[test]
fn parts_that_metadata_tells_are_asked_for_only_where_they_are_named() {
    let now = UnixNanos(0);
    let photos = rules(vec![rule("photos", kind("photo"), Action::Move(to("P/")))]);
    let unread = with_kind(facts("a.jpg"), "image", "image/jpeg");
    assert!(matches!(decide(&photos, &unread, now), Outcome::Needs(Need::Metadata)));
    assert_eq!(taken_by(&decided(&photos, &picture("a.jpg", true), now)), ["photos"]);
    assert!(taken_by(&decided(&photos, &picture("a.jpg", false), now)).is_empty());
    // What can be no photo is not asked, nor is a picture where only the whole is named.
    let text = with_kind(facts("a.txt"), "document", "text/plain");
    assert!(taken_by(&decided(&photos, &text, now)).is_empty());
    let pictures = rules(vec![rule("pictures", kind("image"), Action::Move(to("P/")))]);
    assert_eq!(taken_by(&decided(&pictures, &unread, now)), ["pictures"]);
    // Metadata that cannot be read is no answer, and no answer either way round.
    let mut damaged = unread.clone();
    damaged.metadata = Fact::Unreadable("damaged".into());
    let others = Condition::None(vec![kind("photo")]);
    let others = rules(vec![rule("others", others, Action::Move(to("O/")))]);
    assert!(taken_by(&decided(&others, &damaged, now)).is_empty());
    assert_eq!(taken_by(&decided(&others, &picture("a.jpg", false), now)), ["others"]);
}

#[test]
fn a_default_for_a_part_comes_before_that_of_the_whole() {
    let now = UnixNanos(0);
    let line = |category: &str, folder: &str| (Category::new(category), to(folder));
    let mut set = rules(Vec::new());
    set.default = vec![line("image", "Pictures/"), line("photo", "Photos/")];
    let unread = with_kind(facts("a.jpg"), "image", "image/jpeg");
    assert!(matches!(decide(&set, &unread, now), Outcome::Needs(Need::Metadata)));
    assert_eq!(taken_by(&decided(&set, &picture("a.jpg", true), now)), ["default photo"]);
    assert_eq!(taken_by(&decided(&set, &picture("a.jpg", false), now)), ["default image"]);
    // It is a picture in any case.
    let mut damaged = unread.clone();
    damaged.metadata = Fact::Unreadable("damaged".into());
    assert_eq!(taken_by(&decided(&set, &damaged, now)), ["default image"]);
    set.default.pop();
    assert_eq!(taken_by(&decided(&set, &unread, now)), ["default image"]);
}
