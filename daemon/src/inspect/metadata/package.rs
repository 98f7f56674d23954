//! ZIP files that hold documents: one part at a time, no more of it than asked for.

use std::io::{BufReader, Cursor, Read};

use zip::ZipArchive;

use super::{Limited, Why};

/// Of one part, unpacked. A bomb ends here.
const PART_MAX: u64 = 8 * 1024 * 1024;

/// Parts that one package may list.
const PARTS: usize = 65_536;

pub(super) struct Package<'f>(ZipArchive<BufReader<Limited<'f>>>);

impl<'f> Package<'f> {
    pub(super) fn open(file: Limited<'f>) -> Result<Self, Why> {
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|e| e.to_string())?;
        if archive.len() > PARTS {
            return Err("it has too many parts".into());
        }
        Ok(Self(archive))
    }

    /// A part by name; `None` where there is none, or it cannot be unpacked.
    pub(super) fn part(&mut self, name: &str) -> Option<Cursor<Vec<u8>>> {
        let part = self.0.by_name(name).ok()?;
        let mut bytes = Vec::new();
        // A checksum that is wrong at the end does not make what came before unreadable.
        let read = part.take(PART_MAX).read_to_end(&mut bytes);
        if read.is_err() && bytes.is_empty() {
            return None;
        }
        Some(Cursor::new(bytes))
    }

    /// Names of parts that begin and end so, in the order of the number between.
    pub(super) fn numbered(&self, begin: &str, end: &str) -> Vec<String> {
        let number = |name: &str| name.strip_prefix(begin)?.strip_suffix(end)?.parse::<u32>().ok();
        let names = self.0.file_names().flatten();
        let mut found: Vec<(u32, String)> =
            names.filter_map(|name| Some((number(&name)?, name.into_owned()))).collect();
        found.sort();
        found.into_iter().map(|(_, name)| name).collect()
    }
}
