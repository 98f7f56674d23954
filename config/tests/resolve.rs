//! A configuration held against a machine: a temporary home directory.
#![expect(clippy::disallowed_methods, reason = "tests set up files")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tidy_config::{Config, Environment, FolderNames, JournalConfig, LimitsConfig, Resolved};
use tidy_core::breaker::Limits;
use tidy_core::policy::{Conflict, Keep, Others};
use tidy_core::requirement::{Free, Mounted, Requirement};
use tidy_core::rules::Action;
use tidy_core::template::Base;

struct Home {
    dir: TempDir,
    env: Environment,
}

impl Home {
    fn new(dirs: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let env = Environment::of_home(dir.path());
        let home = Self { dir, env };
        dirs.iter().for_each(|name| home.make(name));
        home
    }

    fn make(&self, name: &str) {
        let dir = self.dir.path().join(name);
        std::fs::DirBuilder::new().recursive(true).create(dir).unwrap();
    }

    /// Symlinks resolved: the temporary directory may lie behind one.
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn resolve(&self, text: &str) -> Result<Resolved, String> {
        let config = Config::parse(text, "config.toml").unwrap_or_else(|e| panic!("{e}"));
        config.resolve(&self.env).map_err(|e| e.to_string())
    }

    fn problem(&self, watch: &str) -> (bool, String) {
        let resolved = self.resolve(&format!("watch = [\"{watch}\"]")).unwrap();
        assert!(resolved.roots.is_empty());
        let [problem] = resolved.problems.as_slice() else { panic!("{:?}", resolved.problems) };
        assert!(resolved.check().is_err());
        assert_eq!(resolved.check_fatal().is_ok(), problem.missing);
        (problem.missing, resolved.check().unwrap_err().to_string())
    }
}

fn roots(resolved: &Resolved) -> Vec<&Path> {
    resolved.roots.iter().map(|r| r.path.as_ref()).collect()
}

#[test]
fn roots_get_their_policies() {
    let home = Home::new(&["Downloads", "Desktop"]);
    let resolved = home
        .resolve(
            r#"
            watch = ["~/Downloads", "~/Desktop/"]
            settle = "5s"
            duplicates = { scope = ["~/Downloads", "~/Pictures"], keep = "newest", others = "trash" }
            [[watch-override]]
            path = "~/Desktop"
            recursive = false
            only = ["shots"]
            settle = "1s"
            conflict = "skip"
            [[rule]]
            name = "shots"
            when = { name = "shot*" }
            move = "S/"
            [[rule]]
            name = "rest"
            when = {}
            move = "R/"
            "#,
        )
        .unwrap();
    resolved.check().unwrap();
    assert_eq!(roots(&resolved), [home.path("Downloads"), home.path("Desktop")]);
    let [downloads, desktop] = resolved.roots.as_slice() else { panic!() };
    assert_eq!(
        (downloads.settle, desktop.settle),
        (Duration::from_secs(5), Duration::from_secs(1))
    );
    assert_eq!((downloads.recursive, desktop.recursive), (true, false));
    assert_eq!((downloads.conflict, desktop.conflict), (Conflict::Rename, Conflict::Skip));
    assert_eq!((downloads.rules.rules.len(), desktop.rules.rules.len()), (2, 1));
    assert_eq!(
        (downloads.rules.default.is_empty(), desktop.rules.default.is_empty()),
        (false, true)
    );
    assert_ne!(downloads.rules.fingerprint, desktop.rules.fingerprint);
    assert_eq!(downloads.given, Path::new("~/Downloads"));
    assert_eq!(downloads.duplicates.scope, [home.path("Downloads"), home.path("Pictures")]);
    assert_eq!(downloads.duplicates.keep, Keep::Newest);
    assert_eq!(downloads.duplicates.others, Others::Trash);
    assert_eq!(resolved.journal, JournalConfig::default());
}

#[test]
fn the_journal_is_kept_as_long_as_is_said() {
    let home = Home::new(&["Downloads"]);
    let text = "watch = [\"~/Downloads\"]\njournal = { keep = \"2w\", at_most = \"10 MB\" }";
    let want = JournalConfig { keep: Duration::from_secs(14 * 86_400), at_most: 10_000_000 };
    assert_eq!(home.resolve(text).unwrap().journal, want);
}

#[test]
fn limits_are_off_unless_they_are_set() {
    let home = Home::new(&["Downloads"]);
    let plain = home.resolve("watch = [\"~/Downloads\"]").unwrap();
    assert_eq!(plain.limits, LimitsConfig::default());
    let text =
        "watch = [\"~/Downloads\"]\nlimits = { read = \"1.5 MB/s\", pause-on-battery = true }";
    let want = LimitsConfig { read: Some(1_500_000), pause_on_battery: true };
    assert_eq!(home.resolve(text).unwrap().limits, want);
}

#[test]
fn the_breaker_has_defaults_and_a_root_may_have_its_own() {
    let home = Home::new(&["a", "b", "c"]);
    let limits = |top: &str| {
        let text = format!(
            r#"
            watch = ["~/a", "~/b", "~/c"]
            {top}
            [[watch-override]]
            path = "~/b"
            breaker = {{ share = "100%", first = 1_000 }}
            [[watch-override]]
            path = "~/c"
            breaker = false
            "#
        );
        let resolved = home.resolve(&text).unwrap();
        resolved.roots.iter().map(|r| r.breaker).collect::<Vec<_>>()
    };
    let standard = Limits::default();
    let own = Limits { share: 100, first: 1000, ..standard };
    assert_eq!(limits(""), [Some(standard), Some(own), None]);
    assert_eq!(limits("breaker = true"), [Some(standard), Some(own), None]);
    assert_eq!(limits("breaker = false"), [None, Some(own), None]);
    let few = Limits { at_least: 7, operations: 9, ..standard };
    let own = Limits { at_least: 7, operations: 9, ..own };
    assert_eq!(limits("breaker = { at-least = 7, operations = 9 }"), [Some(few), Some(own), None]);
}

#[test]
fn folders_without_a_file_get_the_built_in_defaults() {
    let home = Home::new(&["In"]);
    let resolved = Config::built_in(vec![home.path("In")]).resolve(&home.env).unwrap();
    assert_eq!(roots(&resolved), [home.path("In")]);
    assert_eq!(resolved.roots[0].rules.default.len(), 7);
    assert_eq!(resolved.roots[0].duplicates.others, Others::Folder("Duplicates".into()));
    let missing = Config::built_in(vec![home.path("none")]).resolve(&home.env).unwrap();
    assert!(missing.problems[0].missing);
    assert!(missing.check().unwrap_err().to_string().contains("there is no such folder"));
}

#[test]
fn built_in_folders_are_called_as_the_person_calls_theirs() {
    let home = Home::new(&["In", ".config"]);
    let dirs = "XDG_PICTURES_DIR=\"$HOME/Bilder\"\nXDG_MUSIC_DIR=\"$HOME/Musik\"\n";
    std::fs::write(home.path(".config/user-dirs.dirs"), dirs).unwrap();
    let names = FolderNames::of_person(&home.env, None);
    let destinations = |text: &str| {
        let text = format!("watch = [\"~/In\"]\n{text}");
        let config = Config::parse(&text, "x").unwrap().for_person(&home.env, &names);
        let root = config.resolve(&home.env).unwrap().roots.remove(0);
        let default = root.rules.default.iter().map(|(_, t)| t.text().to_owned());
        (default.collect::<Vec<_>>().join(" "), root.duplicates.others.clone())
    };
    let german = "Bilder/ Videos/ Musik/ Dokumente/ Archive/ Installationsdateien/ Schriftarten/";
    let folder = |name: &str| Others::Folder(name.into());
    assert_eq!(destinations(""), (german.to_owned(), folder("Duplikate")));
    // What the file says is what is done.
    let said =
        "duplicates = { others = { folder = \"Duplicates/\" } }\n[default]\nimage = \"Pictures/\"";
    assert_eq!(destinations(said), ("Pictures/".to_owned(), folder("Duplicates")));
    let swedish = "Bilder/ Video/ Musik/ Dokument/ Arkiv/ Installationsfiler/ Typsnitt/";
    assert_eq!(destinations("language = \"sv\"").0, swedish);
    // A folder that is in use goes on being used.
    home.make("In/Pictures");
    assert!(destinations("").0.starts_with("Pictures/ Videos/ Musik/"));
    assert!(destinations("language = \"de\"").0.starts_with("Bilder/"));
    home.make("In/Bilder");
    assert!(destinations("").0.starts_with("Bilder/"));
}

#[test]
fn folders_from_the_command_line_replace_those_of_the_file() {
    let home = Home::new(&["Downloads", "Desktop"]);
    let text =
        "watch = [\"~/Downloads\"]\n[[watch-override]]\npath = \"~/Desktop\"\nsettle = \"9s\"";
    let mut config = Config::parse(text, "config.toml").unwrap();
    config.set_watch(vec![home.path("Desktop"), home.path("none")]);
    let resolved = config.resolve(&home.env).unwrap();
    assert_eq!(roots(&resolved), [home.path("Desktop")]);
    assert_eq!(resolved.roots[0].settle, Duration::from_secs(9));
    assert_eq!(resolved.problems[0].error.line, 0);
    config.set_watch(vec![home.path("Downloads")]);
    assert_eq!(roots(&config.resolve(&home.env).unwrap()), [home.path("Downloads")]);
}

#[test]
fn a_destination_is_confined_to_what_exists_of_it() {
    let home = Home::new(&["Downloads", "real/Pictures"]);
    symlink(home.path("real"), home.path("link")).unwrap();
    let resolved = home
        .resolve(
            r#"
            watch = ["~/Downloads"]
            [[rule]]
            name = "a"
            when = { name = "a" }
            move = "~/link/Pictures/new/{size}/"
            [[rule]]
            name = "b"
            when = { name = "b" }
            move = "~/link/Pictures/"
            "#,
        )
        .unwrap();
    let templates: Vec<_> = resolved.roots[0]
        .rules
        .rules
        .iter()
        .map(|rule| match &rule.action {
            Action::Move(t) => t.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let base = Base::Dir(home.path("real/Pictures").into());
    let root = home.path("Downloads");
    assert_eq!(templates[0].base(), &base);
    assert_eq!(templates[0].static_dir(&root), Some(home.path("real/Pictures/new")));
    assert_eq!(templates[1].base(), &base);
    assert_eq!(templates[1].static_dir(&root), Some(home.path("real/Pictures")));
}

#[test]
fn folders_that_cannot_be_roots_say_why() {
    let home = Home::new(&["Downloads", "a/.local"]);
    std::fs::File::create(home.path("file")).unwrap();
    symlink(home.path("loop2"), home.path("loop1")).unwrap();
    symlink(home.path("loop1"), home.path("loop2")).unwrap();
    let table = [
        ("~/none", true, "there is no such folder"),
        ("~/file", false, "not a directory"),
        ("~/loop1", false, "in a circle"),
        ("~", false, "far more than files to sort"),
        ("/", false, "far more than files to sort"),
    ];
    for (watch, missing, message) in table {
        let (was_missing, text) = home.problem(watch);
        assert!(text.contains(message), "{watch}: {text}");
        assert_eq!(was_missing, missing, "{watch}");
        assert!(text.contains("config.toml:1:"), "{text}");
    }
}

#[test]
fn own_directories_are_kept_out() {
    let mut home = Home::new(&["Downloads/state", "x/Trash/files"]);
    home.env.state = Some(home.path("Downloads/state"));
    let (_, text) = home.problem("~/Downloads");
    assert!(text.contains("state directory"), "{text}");
    let (_, text) = home.problem("~/Downloads/state");
    assert!(text.contains("lies in the state directory"), "{text}");
    home.env.data_home = home.path("x");
    if cfg!(not(target_os = "macos")) {
        let (_, text) = home.problem("~/x");
        assert!(text.contains("the trash"), "{text}");
        let (_, text) = home.problem("~/x/Trash/files");
        assert!(text.contains("lies in the trash"), "{text}");
    }
    let text = "watch = [\"~/y\"]\n[default]\nimage = \"~/Downloads/state/x/\"";
    let error = home.resolve(text).unwrap_err();
    assert!(error.contains("filed into the state directory"), "{error}");
}

#[test]
fn a_folder_that_may_not_be_changed_is_refused() {
    let home = Home::new(&["ro"]);
    let closed = std::fs::Permissions::from_mode(0o500);
    std::fs::File::open(home.path("ro")).unwrap().set_permissions(closed).unwrap();
    let may = rustix::fs::access(home.path("ro"), rustix::fs::Access::WRITE_OK).is_ok();
    if may {
        eprintln!("skipped, because this user may write everywhere");
        return;
    }
    let (missing, text) = home.problem("~/ro");
    assert!(!missing && text.contains("you may not"), "{text}");
}

#[test]
fn the_same_folder_twice_is_one_root_and_a_nested_one_is_part_of_the_outer() {
    let home = Home::new(&["Downloads/in"]);
    symlink(home.path("Downloads"), home.path("dl")).unwrap();
    let watch = "watch = [\"~/Downloads\", \"~/dl\", \"~/Downloads/in\"]\n";
    let resolved = home.resolve(watch).unwrap();
    resolved.check().unwrap();
    assert_eq!(roots(&resolved), [home.path("Downloads")]);

    let own = format!("{watch}[[watch-override]]\npath = \"~/Downloads/in\"\nsettle = \"9s\"\n");
    let resolved = home.resolve(&own).unwrap();
    assert_eq!(roots(&resolved), [home.path("Downloads")]);
    let text = resolved.check_fatal().unwrap_err().to_string();
    assert!(text.contains("lies inside") && text.contains("recursive = false"), "{text}");

    let apart = format!("{own}[[watch-override]]\npath = \"~/Downloads\"\nrecursive = false\n");
    let resolved = home.resolve(&apart).unwrap();
    resolved.check().unwrap();
    assert_eq!(roots(&resolved), [home.path("Downloads"), home.path("Downloads/in")]);
}

#[test]
fn what_is_wrong_with_the_whole_is_an_error() {
    let home = Home::new(&["Downloads"]);
    std::fs::File::create(home.path("file")).unwrap();
    symlink(home.path("gone"), home.path("dangling")).unwrap();
    let watch = "watch = [\"~/Downloads\"]\n";
    let table = [
        (String::new(), "there is nothing to watch"),
        (
            format!("{watch}[[watch-override]]\npath = \"~/Dwnloads\""),
            "did you mean `~/Downloads`?",
        ),
        (
            format!(
                "{watch}[[watch-override]]\npath = \"~/Downloads\"\n[[watch-override]]\npath = \"~/Downloads/\""
            ),
            "an override of this folder already",
        ),
        (format!("{watch}[default]\nimage = \"~/file/x/\""), "file"),
        (format!("{watch}[default]\nimage = \"~/dangling/x/\""), "symlink to something"),
        (format!("{watch}[duplicates]\nothers = {{ folder = \"~/a/b\" }}"), "make that directory"),
    ];
    for (text, message) in table {
        let error = home.resolve(&text).unwrap_err();
        assert!(error.contains(message), "{text}\n{error}");
    }
}

#[test]
fn the_folder_for_duplicates_is_resolved() {
    let home = Home::new(&["Downloads", "real"]);
    symlink(home.path("real"), home.path("link")).unwrap();
    let folder = |folder: &str| {
        let text = format!(
            "watch = [\"~/Downloads\"]\n[duplicates]\nothers = {{ folder = \"{folder}\" }}"
        );
        home.resolve(&text).unwrap().roots[0].duplicates.others.clone()
    };
    assert_eq!(folder("Dup/x/"), Others::Folder("Dup/x".into()));
    assert_eq!(folder("~/link"), Others::Folder(home.path("real")));
    assert_eq!(folder("~/link/dup/"), Others::Folder(home.path("real/dup")));
}

/// Photos by date and camera, music by artist, invoices by content: the rules everybody asks for.
const METADATA: &str = r#"
watch = ["/tmp"]

[[rule]]
name = "photos"
when = { kind = "image", has = "taken" }
move = "~/Pictures/{taken:%Y/%m}/{camera|'Unknown camera'}/"

  [[rule.test]]
  given  = { name = "IMG_1.jpg", kind = "image", taken = "2024-05-06T10:00:00", camera = "X100" }
  expect = "~/Pictures/2024/05/X100/IMG_1.jpg"

  [[rule.test]]
  given  = { name = "IMG_1.jpg", kind = "image" }
  expect = "Pictures/IMG_1.jpg"

[[rule]]
name = "music"
when = { kind = "audio", has = "artist" }
move = "~/Music/{album_artist|artist}/{album|'Singles'}/{disc?:%d-}{track?:%02d }{title|stem}.{ext}"

  [[rule.test]]
  given  = { name = "a.mp3", kind = "audio", artist = "AC/DC", title = "T.N.T.", track = 4 }
  expect = "~/Music/AC-DC/Singles/04 T.N.T.mp3"

[[rule]]
name = "invoices"
when = { kind = "document", size = "< 1 MB", text = '(?i)\binvoice\b.{0,80}?(?P<no>[A-Z]{0,4}-?\d{4,12})' }
move = "~/Documents/Invoices/{modified:%Y}/{from_host|'Unknown'}-{text.no}.{ext}"

  [[rule.test]]
  given  = { name = "mail.txt", kind = "document", text = "Invoice no. RE-20241", origin = "example.org", modified = "2024-05-06T10:00:00" }
  expect = "~/Documents/Invoices/2024/example.org-RE-20241.txt"

  [[rule.test]]
  given  = { name = "novel.txt", kind = "document", size = "2 MB", text = "Invoice no. RE-20241" }
  expect = "Documents/novel.txt"

[[rule]]
name = "long and old films"
when = { kind = "video", duration = "> 1h", taken = "> 365d" }
move = "~/Films/"

  [[rule.test]]
  given  = { name = "a.mkv", kind = "video", duration = "2h", taken = 2001-01-01T00:00:00 }
  expect = "~/Films/a.mkv"
"#;

#[test]
fn rules_ask_what_files_say_of_themselves() {
    let config = Config::parse(METADATA, "config.toml").unwrap();
    assert_eq!(config.test_count(), 6);
    assert_eq!(config.run_tests(), []);
}

#[test]
fn folders_that_others_may_change_are_refused_unless_they_are_allowed() {
    let home = Home::new(&["Scans", "Filed", "Open/Scans"]);
    let open = |name: &str, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(home.dir.path().join(name), mode).unwrap();
    };
    open("Scans", 0o777);
    open("Open", 0o777);
    let (missing, said) = home.problem("~/Scans");
    assert!(!missing, "waiting cures nothing");
    assert!(said.contains("everybody may change") && said.contains("chmod o-w"), "{said}");
    let allow = format!("allow-shared = [\"{}\"]", home.path("Scans").display());
    assert!(said.contains(&allow), "the hint is what is to be written: {said}");
    let (_, said) = home.problem("~/Open/Scans");
    assert!(said.contains("it lies in") && said.contains("Open, which everybody"), "{said}");

    for allow in ["~/Scans", "~"] {
        let text = format!("watch = [\"~/Scans\"]\nallow-shared = [\"{allow}\"]");
        assert_eq!(roots(&home.resolve(&text).unwrap()), [home.path("Scans")], "{allow}");
    }
    // In one everybody may write, and nobody may take away what is another's.
    open("Scans", 0o1777);
    assert!(home.resolve("watch = [\"~/Scans\"]").unwrap().check().is_ok());

    open("Filed", 0o777);
    for destination in ["[default]\nimage = \"~/Filed/\"", "duplicates.others.folder = \"~/Filed\""]
    {
        let text = format!("watch = [\"~/Scans\"]\n{destination}");
        let said = home.resolve(&text).unwrap_err();
        assert!(said.contains("files are not safe there"), "{said}");
        let text = format!("watch = [\"~/Scans\"]\nallow-shared = [\"~/Filed\"]\n{destination}");
        assert!(home.resolve(&text).is_ok(), "{destination}");
    }
}

#[test]
fn a_state_directory_that_anybody_can_replace_is_refused() {
    let mut home = Home::new(&["Scans", "open/state"]);
    let mode = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(home.dir.path().join("open"), mode).unwrap();
    home.env.state = Some(home.path("open/state"));
    let said = home.resolve("watch = [\"~/Scans\"]").unwrap_err();
    assert!(said.contains("the state directory is not safe"), "{said}");
}

#[test]
fn a_configuration_that_others_may_write_is_not_read() {
    let home = Home::new(&["Scans"]);
    let file = home.path("config.toml");
    std::fs::write(&file, "watch = [\"~/Scans\"]").unwrap();
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode));
    mode(0o664).unwrap();
    assert!(Config::load(&file).is_ok());
    mode(0o666).unwrap();
    let said = Config::load(&file).unwrap_err().to_string();
    assert!(said.contains("not to be trusted") && said.contains("chmod o-w"), "{said}");
}

#[test]
fn what_a_destination_must_have_is_about_the_machine() {
    let home = Home::new(&["Downloads", "disks/real"]);
    symlink(home.path("disks"), home.path("link")).unwrap();
    let need = |to: &str, need: &str| {
        let text = format!(
            "watch = [\"~/Downloads\"]\n[[rule]]\nname = \"r\"\nwhen = {{}}\nmove = \"{to}\"\nneed = {need}\n"
        );
        let resolved = home.resolve(&text)?;
        Ok::<_, String>(resolved.roots[0].rules.rules[0].requirement.clone().unwrap())
    };
    let apart = Mounted::Apart(home.path("").components().as_path().into());
    let wanted = Requirement { free: Some(Free::Percent(10)), mounted: Some(apart) };
    assert_eq!(need("~/x/", "{ free = \"10 %\", mounted = true }"), Ok(wanted));
    // Symlinks resolved, as in the destination; the folder need not be there.
    let at = |path: &str| {
        Ok(Requirement { free: None, mounted: Some(Mounted::At(home.path(path).into())) })
    };
    assert_eq!(need("~/link/real/{ext}/", "{ mounted = \"~/disks/real\" }"), at("disks/real"));
    assert_eq!(need("~/disks/away/x/", "{ mounted = \"~/link/away\" }"), at("disks/away"));
    assert_eq!(need("Below/", "{ mounted = \"~/Downloads/Below\" }"), at("Downloads/Below"));
    let free = Requirement { free: Some(Free::Bytes(20_000_000_000)), mounted: None };
    assert_eq!(need("~/x/", "{ free = \"20 GB\" }"), Ok(free));
    let elsewhere = need("~/disks/real/", "{ mounted = \"~/disks/other\" }").unwrap_err();
    assert!(elsewhere.contains("the destination is not in"), "{elsewhere}");
    assert!(elsewhere.contains("= hint: name the folder"), "{elsewhere}");
}
