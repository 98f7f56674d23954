use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;

use super::*;
use crate::UnixNanos;
use crate::category::Category;
use crate::facts::{Fact, FileType, Identity, Kind, Origin, Source, Stat};

fn stat() -> Stat {
    // 2024-05-06 23:30:15 UTC
    let mtime = UnixNanos::from_parts(1_715_038_215, 0);
    Stat {
        id: Identity { ino: 1, size: 4096, mtime, birth: None },
        file_type: FileType::Regular,
        dev: 1,
        ctime: mtime,
        atime: mtime,
        mode: 0o644,
        nlink: 1,
        uid: 1000,
    }
}

fn facts(path: &str) -> Facts {
    Facts::new(path.into(), Path::new("/r/Downloads").into(), stat())
}

fn kind(media_type: &'static str, category: &str, true_ext: Option<&'static str>) -> Fact<Kind> {
    let (category, true_ext) = (Category::new(category), true_ext.map(Into::into));
    let kind = Kind { media_type: media_type.into(), category, mismatch: false, true_ext };
    Fact::Known(kind, Source::Signature)
}

fn origin(url: &str) -> Fact<Origin> {
    Fact::Known(Origin { url: Some(url.into()), referrer: None }, Source::Xattr)
}

fn parse(text: &str) -> Result<Template, TemplateError> {
    Template::parse(text, Base::Root, &TimeZone::UTC)
}

fn render(text: &str, facts: &Facts) -> String {
    parse(text).unwrap().destination(facts, false).unwrap().rel().display().to_string()
}

#[test]
fn templates_render() {
    let mut f = facts("/r/Downloads/in/Photo.JPG");
    f.kind = kind("image/jpeg", "image", Some("jpg"));
    f.origin = origin("https://WWW.Example.org/x");
    let table = [
        ("Pictures/", "Pictures/Photo.JPG"),
        ("Pictures//{created:%Y-%m}/", "Pictures/2024-05/Photo.JPG"),
        ("{modified:%Y/%m}/{stem}.{ext}", "2024/05/Photo.jpg"),
        ("{modified}/", "2024-05-06/Photo.JPG"),
        ("{category}/{media_type}/{root}/{parent}/", "image/image-jpeg/Downloads/in/Photo.JPG"),
        ("{from_host|'Unknown'}/{size}-{name}", "example.org/4096-Photo.JPG"),
        ("a{{b}}/", "a{b}/Photo.JPG"),
        ("{'x/y'}/", "x/y/Photo.JPG"),
        ("{true_ext|ext}/", "jpg/Photo.JPG"),
        ("{modified:%H.%M - }{stem}", "23.30 - Photo.jpg"),
        ("scan {modified:%F %H%M%S}", "scan 2024-05-06 233015.jpg"),
        ("{stem}.bak", "Photo.bak"),
    ];
    for (text, want) in table {
        assert_eq!(render(text, &f), want, "{text}");
    }
}

#[test]
fn the_time_zone_is_the_one_given() {
    let tz = TimeZone::fixed(jiff::tz::offset(2));
    let t = Template::parse("{modified:%F}/", Base::Root, &tz).unwrap();
    let place = t.destination(&facts("/r/Downloads/a"), false).unwrap();
    assert_eq!(place.rel(), Path::new("2024-05-07/a"));
}

#[test]
fn what_a_file_does_not_have_falls_back_or_is_an_error() {
    let mut f = facts("/r/Downloads/README");
    f.origin = Fact::Absent;
    assert_eq!(render("{from_host|'Unknown'}/", &f), "Unknown/README");
    assert_eq!(render("{ext|'none'}/", &f), "none/README");
    assert_eq!(render("x/{stem}.{ext}", &f), "x/README");
    let missing = parse("{from_host}/").unwrap().destination(&f, false).unwrap_err();
    assert!(
        matches!(&missing, TemplateError::Missing { placeholder, .. } if placeholder == "from_host")
    );
    assert!(parse("{ext}/").unwrap().destination(&f, false).is_err());
    // A fact that could not be read must not be taken for one that is not there.
    f.origin = Fact::Unreadable("permission denied".into());
    let unreadable = parse("{from_host|'Unknown'}/").unwrap().destination(&f, false).unwrap_err();
    assert!(unreadable.to_string().contains("permission denied"));
}

#[test]
fn what_a_file_says_of_itself_makes_names_and_folders() {
    use crate::facts::Source::{Exif, Tags};
    use crate::metadata::{Key, Metadata, Moment, Value};
    let mut f = facts("/r/Downloads/a.MP3");
    let mut m = Metadata::default();
    m.put_text(Key::Artist, Some("AC/DC"), Tags);
    m.put_text(Key::Title, Some("T.N.T."), Tags);
    m.put_number(Key::Track, Some(4), Tags);
    m.put_number(Key::Year, Some(1975), Tags);
    m.put(Key::Duration, Value::Length(std::time::Duration::from_secs(215)), Tags);
    let taken = Moment::Local("2024-05-06T23:30:00".parse().unwrap());
    m.put(Key::Taken, Value::Moment(taken), Exif);
    f.metadata = Fact::Known(m, Tags);
    f.captures.insert("text.no".into(), "RE 2024/17".into());

    let music =
        "{album_artist|artist}/{album|'Singles'}/{disc?:%d-}{track?:%02d }{title|stem}.{ext}";
    assert_eq!(render(music, &f), "AC-DC/Singles/04 T.N.T.mp3");
    assert_eq!(render("{artist}/{year?:%d/}", &f), "AC-DC/1975/a.MP3");
    assert_eq!(render("{artist}/{disc?:Disc %d/}", &f), "AC-DC/a.MP3");
    assert_eq!(render("{taken:%Y/%m}/{duration}/", &f), "2024/05/3m35s/a.MP3");
    assert_eq!(render("{text.no}.{ext}", &f), "RE 2024-17.mp3");
    assert_eq!(render("{album?:%s - }{stem}.{ext}", &f), "a.mp3");

    let missing = parse("{camera}/").unwrap().destination(&f, false).unwrap_err();
    assert!(missing.to_string().contains("{camera}"), "{missing}");
    f.metadata = Fact::Unreadable("damaged".into());
    let unreadable = parse("{artist|'Unknown'}/").unwrap().destination(&f, false).unwrap_err();
    assert!(unreadable.to_string().contains("damaged"), "{unreadable}");
}

#[test]
fn values_cannot_leave_their_component() {
    let mut f = facts("/r/Downloads/a.txt");
    f.kind = kind("../../etc", "..", None);
    assert_eq!(render("{category}/{media_type}/", &f), "_/_.-..-etc/a.txt");
    let long = facts(&format!("/r/Downloads/{}.txt", "ä".repeat(120)));
    let name = render("{stem}-{stem}.{ext}", &long);
    assert!(name.len() <= 255 && name.ends_with(".txt"), "{name}");
}

#[test]
fn names_that_are_not_utf8_stay_as_they_are() {
    let name = OsStr::from_bytes(b"caf\xE9.txt");
    let mut f = facts("/r/Downloads/x");
    f.path.set_file_name(name);
    let place = parse("d/").unwrap().destination(&f, false).unwrap();
    assert_eq!(place.file_name(), name);
    let place = parse("d/{stem}.{ext}").unwrap().destination(&f, false).unwrap();
    assert_eq!(place.file_name(), name);
}

#[test]
fn a_new_name_stays_in_its_directory() {
    let f = facts("/r/Downloads/in/a.JPG");
    let t = Template::parse_name("{stem}.{ext}", &TimeZone::UTC).unwrap();
    let place = t.destination(&f, true).unwrap();
    assert_eq!(place.base().as_ref(), Path::new("/r/Downloads"));
    assert_eq!(place.rel(), Path::new("in/a.jpg"));
    assert_eq!(t.static_dir(Path::new("/r/Downloads")), None);
    // After an earlier rule has moved it elsewhere.
    let place = t.destination(&facts("/elsewhere/b.PNG"), true).unwrap();
    assert_eq!(place.path(), Path::new("/elsewhere/b.png"));
}

#[test]
fn errors_say_where_and_what() {
    let table: &[(&str, &str, Range<usize>)] = &[
        ("", "empty", 0..0),
        ("a/{stem", "not closed", 2..3),
        ("a}b/", "without `{`", 1..2),
        ("{'a}/", "quote is not closed", 1..5),
        ("{}/", "no placeholder", 1..1),
        ("{stme}/", "did you mean `stem`?", 1..5),
        ("{zzzzzz}/", "unknown placeholder `zzzzzz`", 1..7),
        ("{camrea|'x'}/", "did you mean `camera`?", 1..7),
        ("{track:%s}/", "it needs one %d or %02d", 7..9),
        ("{track:%2d}/", "it needs one %d or %02d", 7..10),
        ("{track:%d%d}/", "it needs one %d or %02d", 7..11),
        ("{album:x}/", "it needs one %s", 7..8),
        ("{album:../%s}/", "`.` and `..`", 7..12),
        ("{stem:%Y}/", "takes no format", 6..8),
        ("a/{modified:%Q!%}/", "bad format", 12..16),
        ("{modified:}/", "it is empty", 10..10),
        ("a/../b/", "`..`", 2..4),
        ("./b/", "`.` and `..`", 0..1),
        ("{'..'}/", "`..`", 1..5),
        ("/etc/", "must be relative", 0..1),
        ("~/x/", "must be relative", 0..1),
        ("a\0/", "control characters", 1..2),
        ("x/Archive", "many files the name `Archive`", 2..9),
        ("x/{category}", "many files", 2..12),
        ("{from_host|stem}", "many files", 0..16),
        ("{modified:%Y-%m-%d}", "many files", 0..19),
    ];
    for (text, message, span) in table {
        let e = parse(text).unwrap_err();
        assert!(e.to_string().contains(message), "{text}: {e}");
        assert_eq!(e.span(), *span, "{text}: {e}");
    }
    let e = Template::parse_name("x/{stem}", &TimeZone::UTC).unwrap_err();
    assert_eq!((e.span(), e.to_string().contains("cannot contain `/`")), (1..2, true));
    assert!(Template::parse_name("new", &TimeZone::UTC).is_err());
}

#[test]
fn needs_are_those_of_every_alternative() {
    assert_eq!(parse("{modified:%Y}/").unwrap().needs(), []);
    let t = parse("{from_host|category}/{media_type}/").unwrap();
    assert_eq!(t.needs(), [Need::Kind, Need::Origin]);
}

#[test]
fn the_static_directory() {
    let root = Path::new("/r/Downloads");
    let table = [
        ("Pictures/", Some("/r/Downloads/Pictures")),
        ("A/B/{modified:%Y}/", Some("/r/Downloads/A/B")),
        ("A/x{size}/", Some("/r/Downloads/A")),
        ("A/x {stem}", Some("/r/Downloads/A")),
        ("{category}/", None),
        ("{stem}", None),
    ];
    for (text, want) in table {
        assert_eq!(parse(text).unwrap().static_dir(root), want.map(PathBuf::from), "{text}");
    }
    let base = Base::Dir(Path::new("/data").into());
    let t = Template::parse("{category}/", base, &TimeZone::UTC).unwrap();
    assert_eq!(t.static_dir(root), Some("/data".into()));
    let itself = Template::parse("", Base::Dir(Path::new("/data").into()), &TimeZone::UTC).unwrap();
    let place = itself.destination(&facts("/r/Downloads/a"), false).unwrap();
    assert_eq!((place.path(), itself.static_dir(root)), ("/data/a".into(), Some("/data".into())));
    let above = Base::Dir(Path::new("/r").into());
    let t = Template::parse("{category}/", above, &TimeZone::UTC).unwrap();
    assert_eq!(t.static_dir(root), None);
}

#[test]
fn fixed_folders_are_taken_literally() {
    let f = facts("/r/Downloads/a");
    let place = Template::fixed_folder(Path::new("Dup {x}/y")).destination(&f, false).unwrap();
    assert_eq!(place.path(), Path::new("/r/Downloads/Dup {x}/y/a"));
    let t = Template::fixed_folder(Path::new("/data/Duplicates"));
    let place = t.destination(&f, false).unwrap();
    assert_eq!(place.base().as_ref(), Path::new("/data"));
    assert_eq!(place.rel(), Path::new("Duplicates/a"));
    assert_eq!(t.static_dir(Path::new("/r")), Some("/data/Duplicates".into()));
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("in a name", |b| !matches!(b, 0 | b'/'));
    prop::collection::vec(byte, 1..=255)
        .prop_filter("a name", |n| !matches!(n.as_slice(), b"." | b".."))
}

#[test]
fn what_a_file_says_of_itself_hides_nothing() {
    use crate::facts::Source::Tags;
    use crate::metadata::{Key, Metadata};
    let mut f = facts("/r/Downloads/in/a.mp3");
    let mut m = Metadata::default();
    m.put_text(Key::Artist, Some(".hack"), Tags);
    m.put_text(Key::Title, Some("...and\n then"), Tags);
    f.metadata = Fact::Known(m, Tags);
    f.captures.insert("name.x".into(), ".ssh".into());
    let table = [
        ("{artist}/", "_hack/a.mp3"),
        ("{title}.{ext}", "_..and then.mp3"),
        ("{name.x}/", "_ssh/a.mp3"),
        // Nothing stands in its place, and the dot behind it is not at the beginning of what was written.
        ("{album?}.{artist}/", "_.hack/a.mp3"),
        // What the author hides is hidden.
        (".music/{artist}/", ".music/_hack/a.mp3"),
        ("{'.music'}/", ".music/a.mp3"),
    ];
    for (text, want) in table {
        assert_eq!(render(text, &f), want, "{text}");
    }
}

proptest! {
    #[test]
    fn no_value_leaves_its_folder_or_hides(
        artist in "[./a\u{0} \n\u{202E}äあ]{0,12}|\\PC{0,300}",
        text in prop::sample::select(vec![
            "Music/{artist}/", "Music/{artist|'x'}/{artist|'y'} {stem}", "Music/{artist?}{artist?}{name}",
            "Music/{artist?:%s/}{stem}.{ext}", "Music/{name.x}{artist?}/",
        ]),
    ) {
        use crate::facts::Source::Tags;
        use crate::metadata::{Key, Metadata};
        let mut f = facts("/r/Downloads/in/song.mp3");
        let mut m = Metadata::default();
        m.put_text(Key::Artist, Some(&artist), Tags);
        f.metadata = Fact::Known(m, Tags);
        f.captures.insert("name.x".into(), artist);
        let Ok(place) = parse(text).unwrap().destination(&f, false) else { return Ok(()) };
        let names: Vec<_> = place.rel().iter().collect();
        prop_assert!(names.len() <= text.matches('/').count() + 1, "{:?}", names);
        prop_assert_eq!(names[0], OsStr::new("Music"));
        for name in names {
            prop_assert!(!name.as_bytes().starts_with(b"."), "hidden: {:?}", name);
            prop_assert!(name.len() <= 255 && !name.to_string_lossy().contains(|c: char| c.is_control()));
        }
        prop_assert!(place.file_name().as_bytes().ends_with(b".mp3"), "{:?}", place);
    }

    #[test]
    fn destinations_stay_beneath_their_base(
        name in any_name(),
        dir in any_name(),
        media_type in any::<String>(),
        category in any::<String>(),
        host in any::<String>(),
        secs in any::<i64>(),
        text in prop::sample::select(vec![
            "{category}/", "{media_type}/{stem}.{ext}", "{from_host|'x'}/{name}", "{parent}/{name}{name}",
            "{modified:%Y/%m}/{category}{media_type}/{stem} {from_host|'..'}", "{root}/{stem}{stem}{stem}",
        ]),
    ) {
        // One of the templates is refused at load.
        let Ok(template) = parse(text) else { return Ok(()) };
        let mut f = facts("/r/Downloads/x/y");
        f.path = Path::new("/r/Downloads").join(OsStr::from_bytes(&dir)).join(OsStr::from_bytes(&name));
        f.stat.id.mtime = UnixNanos(secs);
        let category = Category::new(&category);
        let kind = Kind { media_type: media_type.into(), category, mismatch: true, true_ext: None };
        f.kind = Fact::Known(kind, Source::Given);
        f.origin = origin(&host);
        if let Ok(place) = template.destination(&f, false) {
            let written = text.matches('/').count() + 1;
            prop_assert!(place.rel().components().count() <= written);
            for component in place.rel().components() {
                let Component::Normal(c) = component else { return Err(TestCaseError::fail("not plain")) };
                prop_assert!(c.len() <= 255);
                prop_assert!(!c.as_bytes().contains(&0));
            }
        }
    }

    #[test]
    fn any_text_is_refused_or_works(text in "[a-z./{}'|:%~ ]{0,30}|\\PC{0,20}") {
        let f = facts("/r/Downloads/in/a.JPG");
        for t in [parse(&text), Template::parse_name(&text, &TimeZone::UTC)] {
            match t {
                Ok(t) => {
                    let _ = t.destination(&f, false);
                    let _ = t.static_dir(&f.root);
                }
                Err(e) => prop_assert!(text.get(e.span()).is_some(), "{:?}", e),
            }
        }
    }
}
