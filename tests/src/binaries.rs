//! The programs under test. They belong to other packages, so cargo does not name them to us: they are built once, into
//! the target directory and profile that this test program itself came from.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Environment variable naming a directory with ready `tidyd` and `tidyctl`: an installed package, say.
const READY: &str = "TIDYD_TEST_BIN_DIR";

/// A program under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Tidyd,
    Tidyctl,
}

impl Binary {
    fn name(self) -> &'static str {
        match self {
            Self::Tidyd => "tidyd",
            Self::Tidyctl => "tidyctl",
        }
    }
}

/// Path of a program, built if need be.
///
/// # Panics
/// The build fails.
pub fn binary(which: Binary) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| match std::env::var_os(READY) {
            Some(ready) => PathBuf::from(ready),
            None => {
                let place = Place::of(&std::env::current_exe().expect("own path"));
                place.build();
                place.directory
            }
        })
        .join(which.name())
}

/// Where cargo put a program, and with which options it would put others beside it.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// `…/target/debug`, or `…/target/<triple>/debug`.
    directory: PathBuf,
    target_directory: PathBuf,
    profile: String,
    triple: Option<String>,
}

impl Place {
    /// From the path of a test program, `<target>[/<triple>]/<profile>/deps/<name>`. Cargo marks the target directory with
    /// a `CACHEDIR.TAG`.
    fn of(test_program: &Path) -> Self {
        let directory = test_program
            .ancestors()
            .find(|dir| dir.ends_with("deps"))
            .and_then(Path::parent)
            .expect("a test program is in a `deps` directory");
        let target_directory = directory
            .ancestors()
            .skip(1)
            .find(|dir| dir.join("CACHEDIR.TAG").exists())
            .expect("a profile's directory is inside a target directory");
        let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
        let above = directory.parent().expect("not the root");
        Self {
            profile: match name(directory).expect("not the root").as_str() {
                // cargo's names for what it writes there
                "debug" => "dev".to_owned(),
                other => other.to_owned(),
            },
            triple: (above != target_directory).then(|| name(above)).flatten(),
            directory: directory.to_owned(),
            target_directory: target_directory.to_owned(),
        }
    }

    /// Cargo's own lock on the target directory makes test programs that start together wait for each other here.
    fn build(&self) {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .args(["build", "--quiet", "--bins", "-p", "tidyd", "-p", "tidyctl"])
            .args(["--profile", &self.profile])
            .arg("--target-dir")
            .arg(&self.target_directory);
        if let Some(triple) = &self.triple {
            build.args(["--target", triple]);
        }
        let built = build.output().expect("cargo can be run");
        assert!(
            built.status.success(),
            "cannot build the programs under test: {build:?}\n{}",
            String::from_utf8_lossy(&built.stderr)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_read_off_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("anywhere");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        let cases = [
            ("debug", "dev", None),
            ("release", "release", None),
            ("aarch64-apple-darwin/thorough", "thorough", Some("aarch64-apple-darwin")),
        ];
        for (below, profile, triple) in cases {
            let place = Place::of(&target.join(below).join("deps/scenarios-0123"));
            let expected = Place {
                directory: target.join(below),
                target_directory: target.clone(),
                profile: profile.to_owned(),
                triple: triple.map(str::to_owned),
            };
            assert_eq!(place, expected);
        }
    }
}
