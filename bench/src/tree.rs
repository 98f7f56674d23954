//! Trees that are the same wherever they are made: one seed, one tree.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::random::Random;

/// What a tree looks like.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Shape {
    /// Files in the tree.
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    pub(crate) files: u64,
    /// One seed, one tree.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Half of the files are smaller than this, in bytes; sizes are log-normal.
    #[arg(long, default_value_t = 16_384, value_name = "BYTES")]
    pub(crate) median: u64,
    /// Spread of the sizes: the standard deviation of their logarithm.
    #[arg(long, default_value_t = 1.6, value_name = "X")]
    pub(crate) sigma: f64,
    /// No file is larger, in bytes.
    #[arg(long, default_value_t = 256 << 20, value_name = "BYTES")]
    pub(crate) largest: u64,
    /// Share of the files that are copies of another one.
    #[arg(long, default_value_t = 0.25, value_name = "SHARE")]
    pub(crate) copies: f64,
    /// Share of the files that have the size of another one, and other bytes.
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    pub(crate) same_size: f64,
    /// Share of the files that begin like another one of their size, and go on differently.
    #[arg(long, default_value_t = 0.05, value_name = "SHARE")]
    pub(crate) same_start: f64,
    /// Share of the names that are further names (hard links) of another file.
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    pub(crate) links: f64,
    /// Files in a directory, on average.
    #[arg(long, default_value_t = 25, value_name = "N")]
    pub(crate) per_directory: u64,
    /// Directories above a file, below the tree's own.
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub(crate) depth: u32,
}

/// What was made.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Made {
    pub(crate) files: u64,
    pub(crate) directories: u64,
    pub(crate) bytes: u64,
    /// Files that another one is equal to, the first of each group not counted.
    pub(crate) copies: u64,
    pub(crate) links: u64,
}

/// A file's bytes: those of `stream`, but from `differs` on those of `other`.
#[derive(Debug, Clone, Copy)]
struct Content {
    stream: u64,
    size: u64,
    differs: Option<(u64, u64)>,
}

/// Makes the tree in a directory that must not be there yet.
pub(crate) fn make(at: &Path, shape: &Shape) -> io::Result<Made> {
    let mut random = Random::new(shape.seed);
    let dirs = shape.files.div_ceil(shape.per_directory.max(1)).max(1);
    let fan = (dirs as f64).powf(1.0 / f64::from(shape.depth.max(1))).ceil() as u64;
    fs::create_dir(at)?;
    let mut made = Made::default();
    // Of earlier files some are remembered, to be copied from.
    let mut earlier: Vec<(PathBuf, Content)> = Vec::new();
    let mut buf = vec![0; 1 << 16];
    let mut last = None;
    for n in 0..shape.files {
        let dir = n * dirs / shape.files;
        let path = directory(at, dir, fan.max(2), shape.depth);
        if last != Some(dir) {
            fs::create_dir_all(&path)?;
            (last, made.directories) = (Some(dir), made.directories + 1);
        }
        let path = path.join(name(n, &mut random));
        made.files += 1;
        let model = random.below(earlier.len() as u64) as usize;
        let model = earlier.get(model).cloned();
        let mut kind = random.share();
        let mut is = |share: f64| {
            kind -= share;
            kind < 0.0 && kind >= -share
        };
        let (copy, link) = (is(shape.copies), is(shape.links));
        let (same_size, same_start) = (is(shape.same_size), is(shape.same_start));
        let content = match model {
            Some((from, content)) if link => {
                fs::hard_link(&from, &path)?;
                made.links += 1;
                made.bytes += content.size;
                continue;
            }
            Some((_, content)) if copy => {
                made.copies += 1;
                content
            }
            Some((_, content)) if same_size => Content { stream: random.next(), ..content },
            Some((_, content)) if same_start && content.size > 8192 => {
                let from = 4096 + random.below(content.size - 4096);
                Content { differs: Some((from, random.next())), ..content }
            }
            _ => {
                let size = (shape.median as f64) * (shape.sigma * random.normal()).exp();
                let size = (size as u64).clamp(1, shape.largest);
                Content { stream: random.next(), size, differs: None }
            }
        };
        write(&path, content, &mut buf)?;
        made.bytes += content.size;
        // So that copies are spread over the tree, and memory stays small.
        if earlier.len() < 4096 {
            earlier.push((path, content));
        } else if random.below(8) == 0 {
            let at = random.below(4096) as usize;
            earlier[at] = (path, content);
        }
    }
    Ok(made)
}

/// `dir` as `depth` digits to the base `fan`.
fn directory(at: &Path, mut dir: u64, fan: u64, depth: u32) -> PathBuf {
    let mut digits: Vec<u64> = Vec::new();
    for _ in 0..depth {
        digits.push(dir % fan);
        dir /= fan;
    }
    digits.iter().rev().fold(at.to_owned(), |path, digit| path.join(format!("folder {digit:03}")))
}

fn name(n: u64, random: &mut Random) -> String {
    const KINDS: [&str; 8] = ["pdf", "jpg", "txt", "mp3", "zip", "docx", "png", "bin"];
    let kind = KINDS[random.below(KINDS.len() as u64) as usize];
    format!("file {n:07}.{kind}")
}

fn write(path: &Path, content: Content, buf: &mut [u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let mut random = Random::new(content.stream);
    let mut at = 0;
    while at < content.size {
        let len = (content.size - at).min(buf.len() as u64) as usize;
        random.fill(&mut buf[..len]);
        if let Some((from, seed)) = content.differs.filter(|(from, _)| *from < at + len as u64) {
            let from = from.saturating_sub(at) as usize;
            Random::new(seed ^ at).fill(&mut buf[from..len]);
        }
        file.write_all(&buf[..len])?;
        at += len as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(files: u64) -> Shape {
        Shape {
            files,
            seed: 7,
            median: 600,
            sigma: 1.5,
            largest: 40_000,
            copies: 0.3,
            same_size: 0.1,
            same_start: 0.1,
            links: 0.05,
            per_directory: 10,
            depth: 3,
        }
    }

    fn all(dir: &Path, base: &Path, out: &mut Vec<(PathBuf, Vec<u8>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => all(&path, base, out),
                false => {
                    out.push((path.strip_prefix(base).unwrap().into(), fs::read(path).unwrap()))
                }
            }
        }
        out.sort();
    }

    #[test]
    fn one_seed_makes_one_tree() {
        let t = tempfile::tempdir().unwrap();
        let read = |name: &str, shape: &Shape| {
            let at = t.path().join(name);
            let made = make(&at, shape).unwrap();
            let mut files = Vec::new();
            all(&at, &at, &mut files);
            (made, files)
        };
        let (made, first) = read("a", &shape(300));
        assert_eq!(first, read("b", &shape(300)).1);
        assert_ne!(first, read("c", &Shape { seed: 8, ..shape(300) }).1);
        assert_eq!(made.files, 300);
        assert_eq!(made.bytes, first.iter().map(|(_, c)| c.len() as u64).sum::<u64>());
        let mut contents: Vec<&Vec<u8>> = first.iter().map(|(_, content)| content).collect();
        contents.sort();
        contents.dedup();
        assert_eq!(contents.len() as u64, 300 - made.copies - made.links);
        assert!(made.copies > 50 && made.links > 2);
        let depth = |(path, _): &(PathBuf, _)| path.components().count() == 4;
        assert!(first.iter().all(depth));
    }
}
