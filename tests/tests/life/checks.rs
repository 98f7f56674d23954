//! What holds whenever all is quiet, and what holds always.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::disk::{self, Found, Kind};
use super::player::Life;
use super::service;
use super::thing::{self, Thing};

/// Every name with what it is: two pictures are the same when nothing has happened in between.
pub(crate) type Picture = BTreeMap<PathBuf, String>;

pub(crate) fn picture(life: &Life) -> Picture {
    let names = life.names();
    let things: BTreeMap<PathBuf, String> = disk::things(&life.home(), &names)
        .into_iter()
        .map(|(path, thing)| (path, thing.to_string()))
        .collect();
    let trash_notes = life.home().join(".local/share/Trash/info");
    names
        .into_iter()
        .filter(|f| !f.path.starts_with(&trash_notes))
        // Directories are made on the way, and made again.
        .filter(|f| f.kind != Kind::Directory)
        .map(|f| {
            let thing = things.get(&f.path).cloned().unwrap_or_default();
            (f.path, format!("{:?} {thing}", f.kind))
        })
        .collect()
}

pub(crate) fn difference(before: &Picture, after: &Picture) -> String {
    let minus = before.iter().filter(|(p, w)| after.get(*p) != Some(w));
    let plus = after.iter().filter(|(p, w)| before.get(*p) != Some(w));
    let minus = minus.map(|(p, w)| format!("\n- {p:?}: {w}"));
    let plus = plus.map(|(p, w)| format!("\n+ {p:?}: {w}"));
    minus.chain(plus).collect()
}

impl Life {
    /// Lets tidyd come to rest and looks whether all is well.
    pub(crate) fn quiet(&mut self) {
        self.be_up();
        self.await_asked();
        self.writers_stand();
        self.writers.clear();
        if self.paused {
            self.ctl(&["resume"], &[0]);
            self.paused = false;
        }
        if std::mem::take(&mut self.project_ended) {
            self.ctl(&["rescan"], &[0]);
        }
        let wait = self.ctl(&["wait", "--timeout", "50s"], &[0, 1]);
        if wait.code == 1 {
            self.fail(format_args!("never quiet: {wait:#?}"));
        }
        self.counts.checks += 1;
        let mut names = self.names();
        self.nothing_is_lost(&names);
        self.journal_is_closed();
        let wrong = self.catalog_against_disk(&names);
        if !wrong.is_empty() {
            names = self.look_again(&wrong);
        }
        self.fixed_stay(&names);
        self.trash_is_whole(&names);
        if let Some(left) = names.iter().find(|f| disk::is_leftover(&f.path)) {
            self.fail(format_args!("{left:?} was left over"));
        }
    }

    /// The end: everything is put back, as far as it is still there.
    pub(crate) fn finish(&mut self) {
        self.note(format_args!("the end: put back everything"));
        self.quiet();
        let status = self.world.ctl_json(["status"]);
        self.counts.operations = status["totals"]["filed"].as_u64().unwrap_or(0);
        self.fixed.clear();
        let there = self.names();
        let run = self.ctl(&["rollback", "--since", "1d", "--yes", "--json"], &[0, 1, 3]);
        match run.code {
            1 if run.stderr.contains("nothing in effect") => {}
            1 => self.fail(format_args!("{run:#?}")),
            _ => self.only_what_is_gone_stays_away(&there, &run.stdout),
        }
        self.result(format_args!("{}", run.code));
        self.stirs();
        self.quiet();
        let output = self.daemon.as_ref().map(|d| d.output()).unwrap_or_default();
        service::stop(self);
        if output.contains("panicked at") {
            self.fail("tidyd has panicked");
        }
    }

    /// A file that is where tidyd has put it, and that nobody has had a hand in, is put back.
    fn only_what_is_gone_stays_away(&self, there: &[Found], report: &str) {
        let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
        let log = self.world.log(&["--state", "done"]);
        // An error says which directory stood in the way.
        let away = ["missing", "irrecoverable", "occupied"];
        for file in report["files"].as_array().expect("a list").iter() {
            if !away.iter().any(|word| file["outcome"] == *word) {
                continue;
            }
            let id = file["operation"].as_u64().expect("a number");
            let op = log.iter().find(|op| op["id"] == id).expect("what is undone was done");
            let at = tidy_tests::path(&op["dst"]);
            let by_user = at.ancestors().any(|path| self.hands.contains(path));
            let is = |path: &serde_json::Value| !path.is_null() && tidy_tests::path(path) == at;
            let later = |other: &serde_json::Value| other["id"].as_u64() > Some(id);
            let by_us = log.iter().any(|o| later(o) && (is(&o["src"]) || is(&o["dst"])));
            if there.iter().any(|f| f.path == at) && !by_user && !by_us {
                self.fail(format_args!("not put back: {file:#} of {op:#}"));
            }
        }
    }

    fn nothing_is_lost(&mut self, names: &[Found]) {
        let copies = self.world.log(&["--kind", "copy", "--state", "done"]).len();
        // Made, and taken by the user before tidyd had been started anew to say so.
        let undone = self.world.log(&["--all", "--kind", "copy", "--state", "aborted"]);
        let in_hand = |path: PathBuf| path.ancestors().any(|path| self.hands.contains(path));
        let is_taken = |op: &&serde_json::Value| in_hand(tidy_tests::path(&op["dst"]));
        let taken = undone.iter().filter(is_taken).count();
        let things = disk::things(&self.home(), names);
        let linked = names.iter().filter(|f| self.linked.contains(&f.inode));
        let linked: BTreeSet<&Path> = linked.map(|f| f.path.as_path()).collect();
        let is_linked = |(path, _): &&(PathBuf, Thing)| linked.contains(path.as_path());
        let may_double = things.iter().filter(is_linked).map(|(_, thing)| thing.digest).collect();
        let new = copies - self.copies.0;
        let made = new..=new + taken - self.copies.1;
        if let Err(wrong) = self.model.compare(&things, &made, &may_double) {
            self.fail(format_args!("{wrong:#?} with {made:?} copies by rule"));
        }
        self.copies = (copies, taken);
    }

    fn journal_is_closed(&mut self) {
        for state in ["intended", "verified", "failed"] {
            let mut ops = self.world.log(&["--all", "--state", state]);
            // Somebody took the directory away just before.
            ops.retain(|op| !op["error"].as_str().is_some_and(|e| e.contains("does not exist")));
            if !ops.is_empty() {
                self.fail(format_args!("{state}: {ops:#?}"));
            }
        }
        let unknown = self.world.log(&["--all", "--state", "unknown"]);
        // Only a crash and a user who takes the file before the next start make one.
        if unknown.len() > self.kills as usize * 20 {
            self.fail(format_args!("unknown: {unknown:#?}"));
        }
    }

    /// The catalog may be late where the user was faster than the end of a batch; looking through everything must put that
    /// right. A soak takes even that for a failure.
    fn look_again(&mut self, wrong: &[String]) -> Vec<Found> {
        if self.strict {
            self.fail(format_args!("catalog and disk: {wrong:#?}"));
        }
        eprintln!("TIDY_TEST_SEED={}: looked through again, because {wrong:#?}", self.seed);
        self.ctl(&["rescan"], &[0]);
        self.ctl(&["wait", "--timeout", "50s"], &[0]);
        let names = self.names();
        let wrong = self.catalog_against_disk(&names);
        if !wrong.is_empty() {
            self.fail(format_args!("catalog and disk, after a rescan: {wrong:#?}"));
        }
        names
    }

    /// Where `files` does not list what is on the disk, or `status` does not count it.
    fn catalog_against_disk(&self, names: &[Found]) -> Vec<String> {
        let rows = self.world.ctl_json(["files"]);
        let rows = rows.as_array().expect("a list is an array");
        let listed: BTreeMap<PathBuf, u64> = rows
            .iter()
            .map(|row| (tidy_tests::path(&row["path"]), row["size"].as_u64().expect("a size")))
            .collect();
        let disk: BTreeMap<&Path, &Found> =
            names.iter().filter(|f| f.kind == Kind::File).map(|f| (f.path.as_path(), f)).collect();
        let mut wrong = Vec::new();
        for (path, size) in listed.iter().filter(|(path, _)| self.is_looked_at(path)) {
            match disk.get(path.as_path()) {
                None => wrong.push(format!("{path:?} is listed and not there")),
                Some(f) if f.size != *size && !self.linked.contains(&f.inode) => {
                    wrong.push(format!("{path:?} has {} bytes, and is listed with {size}", f.size));
                }
                Some(_) => {}
            }
        }
        for path in disk.keys().filter(|path| self.is_to_be_known(path)) {
            if !listed.contains_key(*path) && !self.is_unpacked(path) {
                wrong.push(format!("{path:?} is there and not listed"));
            }
        }
        let status = self.world.ctl_json(["status"]);
        let left = rows.iter().filter(|row| row["stored"]["outcome"] == "left").count();
        let mut compare = |what: &str, counted: &serde_json::Value, expected: usize| {
            if counted.as_u64() != u64::try_from(expected).ok() {
                wrong.push(format!("{what} is {counted}, not {expected}"));
            }
        };
        compare("files_known", &status["files_known"], rows.len());
        compare("totals.left", &status["totals"]["left"], left);
        compare("open_operations", &status["open_operations"], 0);
        compare("jobs_running", &status["jobs_running"], 0);
        for pending in ["dirty", "settling", "in_flight"] {
            compare(pending, &status["pending"][pending], 0);
        }
        wrong
    }

    /// Whether the catalog must have this file: it lies where tidyd looks, and is not a program's own.
    fn is_to_be_known(&self, path: &Path) -> bool {
        self.is_looked_at(path) && !is_unfinished(path.file_name().unwrap_or_default().as_bytes())
    }

    /// Whether tidyd looks into the directory of this file.
    fn is_looked_at(&self, path: &Path) -> bool {
        let roots = self.roots();
        let Some(root) = roots.iter().find(|root| path.starts_with(root)) else { return false };
        let rel = path.strip_prefix(root).expect("it starts with it");
        let mut above = rel.components().rev().skip(1).map(|c| c.as_os_str().as_bytes());
        if above.clone().next().is_some() && self.config.is_flat(root) {
            return false;
        }
        above.all(|dir| !dir.starts_with(b".") && dir != b"Keep" && !is_unfinished(dir))
            && !disk::in_project(&roots, path)
    }

    /// Whether a folder above the file is one thing because an archive was unpacked into it. Which folder that is, tidyd
    /// keeps by its identity, through renames, as long as it lives; that there was such an archive, this life knows.
    fn is_unpacked(&self, path: &Path) -> bool {
        let explained = self.world.ctl_json_at(&["explain"], path);
        let left = &explained["would"]["left"];
        let Some(detail) = left["detail"].as_str().filter(|_| left["reason"] == "in-unit") else {
            return false;
        };
        let Some((archive, _)) = detail.split_once(" was unpacked into the folder ") else {
            return false;
        };
        let is_archive = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            // As it is shown.
            let shown = match name.to_str() {
                Some(text) => text.replace('\n', "\\n"),
                None => name.as_bytes().escape_ascii().to_string(),
            };
            shown.eq_ignore_ascii_case(archive)
        };
        let filed = self.world.log(&["--all"]);
        let mut filed = filed.iter().flat_map(|op| [&op["src"], &op["dst"]]);
        self.hands.iter().any(|path| is_archive(path))
            || filed.any(|path| !path.is_null() && is_archive(&tidy_tests::path(path)))
    }

    /// What must not be moved is where it was, unless the user has had a hand in it. Then begins a new list.
    fn fixed_stay(&mut self, names: &[Found]) {
        for (path, inode) in &self.fixed {
            let is_there = disk::look(path).ok().map(|f| f.inode) == Some(*inode);
            if !is_there && !self.gave_way(path) {
                self.fail(format_args!("{path:?} is not there any more"));
            }
        }
        let roots = self.roots();
        let stays = |f: &&Found| match f.kind {
            Kind::Directory => false,
            Kind::File => f.links > 1 || disk::in_project(&roots, &f.path),
            Kind::Symlink | Kind::Special => true,
        };
        self.fixed = names.iter().filter(stays).map(|f| (f.path.clone(), f.inode)).collect();
    }

    /// Whether a rule has put it into the trash because its name was wanted: some policies say so of whatever is there.
    fn gave_way(&self, path: &Path) -> bool {
        let trashed = self.world.log(&["--kind", "trash", "--state", "done", "--limit", "300"]);
        let by_conflict = trashed.iter().filter(|op| op["rule"] != "duplicates");
        by_conflict.into_iter().any(|op| tidy_tests::path(&op["src"]) == path)
    }

    /// Every file in the trash has its note, and every note its file.
    fn trash_is_whole(&mut self, names: &[Found]) {
        let trash = self.home().join(".local/share/Trash");
        let below = |part: &str| -> BTreeSet<PathBuf> {
            let dir = trash.join(part);
            let names = names.iter().filter(|f| f.path.parent() == Some(&dir));
            names.map(|f| f.path.strip_prefix(&dir).expect("below").to_owned()).collect()
        };
        let noted: BTreeSet<PathBuf> =
            below("info").into_iter().map(|note| note.with_extension("")).collect();
        let files = below("files");
        if noted != files {
            let (no_note, no_file): (Vec<_>, Vec<_>) =
                (files.difference(&noted).collect(), noted.difference(&files).collect());
            let path = |name: &PathBuf| trash.join("files").join(name);
            let wrong = no_note.iter().chain(&no_file);
            let log: Vec<_> = wrong
                .map(|name| self.world.ctl_at(&["log", "--path"], &path(name)).stdout)
                .collect();
            let log = log.join("\n");
            self.fail(format_args!("no note for {no_note:?}, no file for {no_file:?}\n{log}"));
        }
    }

    /// What somebody is writing keeps its name.
    pub(crate) fn writers_stand(&mut self) {
        for writer in &self.writers {
            let now = thing::place_of(&writer.file).expect("our own descriptor");
            if writer.from_birth && now != writer.path {
                self.fail(format_args!(
                    "{:?} was moved to {now:?} while it was written",
                    writer.path
                ));
            }
        }
    }
}

/// The unfinished names among those that are given here.
fn is_unfinished(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = |end: &[u8]| name.ends_with(end);
    ends(b".part") || ends(b".tmp") || name.starts_with(b".goutputstream-")
}
