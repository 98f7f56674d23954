//! Companions: files that belong to another one and go where it goes (`IMG_1.xmp` to `IMG_1.CR2`).
//!
//! In: the names in one directory, as bytes. Out: which name belongs to which main file, and what its
//! own name becomes when the main file gets another. May not know: the disk, rules, plans.
//!
//! Sources of the conventions: Adobe XMP specification part 3 (`STEM.xmp`), darktable and RawTherapee
//! manuals (`NAME.xmp`, `NAME.pp3`), Apple's edits (`STEM.AAE`) and Live Photos (`STEM.HEIC` +
//! `STEM.MOV`), Google Takeout (`NAME.json`, `NAME.supplemental-metadata.json`, cut to 51 bytes), Canon and
//! others (`STEM.THM`), media centres (`STEM.LANGUAGE.srt`).

mod names;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::name;
use names::Class;

/// Names that share a stem and are looked at for one companion: past this nothing is sure.
const MAX_SAME_STEM: usize = 64;

/// Which names count as companions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Companions {
    /// The well-known ones.
    pub known: bool,
    /// Extensions, lower case, that travel with any file of the same stem.
    pub listed: Vec<String>,
}

impl Default for Companions {
    fn default() -> Self {
        Self { known: true, listed: Vec::new() }
    }
}

/// How a companion's name is made from its main file's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Tail {
    /// The stem and this: `.xmp`, `.en.srt`.
    Stem(OsString),
    /// The whole name and this: `.xmp`, `.supplemental-metadata.json`.
    Name(OsString),
}

impl Tail {
    /// The companion's name when the main file has this one.
    pub fn of(&self, main: &OsStr) -> OsString {
        let (base, tail) = match self {
            Self::Stem(tail) => (name::stem(main), tail),
            Self::Name(tail) => (main, tail),
        };
        let mut out = name::fit(base, name::NAME_MAX.saturating_sub(tail.len()));
        out.push(tail);
        out
    }
}

/// One companion: its name, whose it is, and how its name follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub main: OsString,
    pub tail: Tail,
}

impl Companions {
    /// None at all.
    pub fn none() -> Self {
        Self { known: false, listed: Vec::new() }
    }

    /// Whether there are any.
    pub fn is_none(&self) -> bool {
        !self.known && self.listed.is_empty()
    }

    /// These and those.
    pub fn and(&self, other: &Self) -> Self {
        let mut listed = self.listed.clone();
        listed.extend(other.listed.iter().filter(|e| !self.listed.contains(e)).cloned());
        Self { known: self.known || other.known, listed }
    }

    /// Whether a file of this name may be a companion of some other.
    pub fn may_be(&self, name: &OsStr) -> bool {
        let Some(ext) = name::extension(name) else { return false };
        (self.known && names::sidecar(&ext).is_some()) || self.listed.contains(&ext)
    }

    /// Whether a file of this name may have companions.
    pub fn may_have(&self, name: &OsStr) -> bool {
        !self.listed.is_empty()
            || (self.known
                && name::extension(name).is_some_and(|e| names::class(&e) != Class::Other))
    }

    /// How the name belongs to that main file's, if it does.
    pub fn tail(&self, main: &OsStr, name: &OsStr) -> Option<Tail> {
        let pairs = Pairs::new(self, [main, name]);
        pairs.main_of(name).filter(|p| p.main == main).map(|p| p.tail.clone())
    }

    /// The names whose stem or whole name a companion's main file may have, the likeliest first.
    fn bases(&self, name: &OsStr) -> Vec<Base> {
        let Some(ext) = name::extension(name) else { return Vec::new() };
        let listed = self.listed.contains(&ext);
        let known = names::sidecar(&ext).filter(|_| self.known);
        if !listed && known.is_none() {
            return Vec::new();
        }
        let stem = name::stem(name);
        let mut out =
            vec![Base::new(name, stem.len(), Of::Name), Base::new(name, stem.len(), Of::Stem)];
        if known.is_some_and(|s| s.has_language) || names::is_subtitle(&ext) {
            for end in names::before_languages(stem.as_bytes()) {
                out.push(Base::new(name, end, Of::Stem));
            }
        }
        if ext == "json" {
            let takeout = names::takeout(stem.as_bytes());
            out.extend(takeout.map(|(base, tail)| Base {
                text: OsString::from_vec(base),
                tail: OsString::from_vec([&tail, &name.as_bytes()[stem.len()..]].concat()),
                of: Of::Name,
            }));
        }
        out
    }

    /// How likely it is that `main` is the one; `None`: it is not.
    fn rank(&self, main: &OsStr, ext: &str, of: Of) -> Option<u8> {
        let main_ext = name::extension(main)?;
        let class = names::class(&main_ext);
        let listed = self.listed.iter().any(|e| e == ext);
        let known = names::sidecar(ext).filter(|_| self.known || listed);
        let is_known = known.is_some_and(|s| s.goes_with(&main_ext, class, of));
        // Of two that are listed neither goes with the other, unless it is known to.
        (is_known || (listed && !self.listed.contains(&main_ext))).then_some(class.rank())
    }
}

/// What a base stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Stem,
    Name,
}

struct Base {
    text: OsString,
    tail: OsString,
    of: Of,
}

impl Base {
    fn new(name: &OsStr, end: usize, of: Of) -> Self {
        let (text, tail) = name.as_bytes().split_at(end);
        Self { text: OsStr::from_bytes(text).into(), tail: OsStr::from_bytes(tail).into(), of }
    }

    fn tail(self) -> Tail {
        match self.of {
            Of::Stem => Tail::Stem(self.tail),
            Of::Name => Tail::Name(self.tail),
        }
    }
}

/// Who belongs to whom in one directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    by_name: BTreeMap<OsString, Pair>,
    by_main: BTreeMap<OsString, Vec<OsString>>,
}

impl Pairs {
    /// From all names of a directory; linear in their number. No main file in it is a companion.
    pub fn new<'a>(
        of: &Companions,
        names: impl IntoIterator<Item = &'a OsStr, IntoIter: Clone>,
    ) -> Self {
        let names = names.into_iter();
        let mut asking: Vec<&OsStr> = names.clone().filter(|n| of.may_be(n)).collect();
        if of.is_none() || asking.is_empty() {
            return Self::default();
        }
        asking.sort_unstable();
        asking.dedup();
        let wanted: HashSet<OsString> =
            asking.iter().flat_map(|n| of.bases(n)).map(|b| b.text).collect();
        let mut there: HashMap<&OsStr, Vec<&OsStr>> = HashMap::new();
        for name in names {
            let stem = name::stem(name);
            for key in [stem, name] {
                if wanted.contains(key) {
                    there.entry(key).or_default().push(name);
                }
            }
        }
        let mut found: BTreeMap<OsString, Pair> = BTreeMap::new();
        for name in asking {
            if let Some(pair) = best(of, name, &there) {
                found.insert(name.to_owned(), pair);
            }
        }
        Self::to_the_top(found)
    }

    /// A companion's companion belongs to the one both go with (`IMG.MOV.xmp` to `IMG.HEIC`).
    fn to_the_top(found: BTreeMap<OsString, Pair>) -> Self {
        let mut out = Self::default();
        for (name, pair) in &found {
            let mut top = pair.clone();
            for _ in 0..4 {
                let Some(next) = found.get(&top.main).filter(|p| p.main != *name) else { break };
                let stem = name::stem(&next.main).as_bytes();
                let Some(tail) = name.as_bytes().strip_prefix(stem) else { break };
                let tail = Tail::Stem(OsStr::from_bytes(tail).into());
                top = Pair { main: next.main.clone(), tail };
            }
            if !found.contains_key(&top.main) {
                out.by_main.entry(top.main.clone()).or_default().push(name.clone());
                out.by_name.insert(name.clone(), top);
            }
        }
        out
    }

    /// The main file this one belongs to.
    pub fn main_of(&self, name: &OsStr) -> Option<&Pair> {
        self.by_name.get(name)
    }

    /// The companions of a main file, sorted by name.
    pub fn of(&self, main: &OsStr) -> impl Iterator<Item = (&OsStr, &Tail)> {
        let names = self.by_main.get(main).into_iter().flatten();
        names.filter_map(|n| Some((n.as_os_str(), &self.by_name.get(n)?.tail)))
    }

    /// Whether nobody belongs to anybody.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

/// The whole name counts for more than the stem, then the longer base, then the kind of file.
fn best(of: &Companions, name: &OsStr, there: &HashMap<&OsStr, Vec<&OsStr>>) -> Option<Pair> {
    let ext = name::extension(name)?;
    for base in of.bases(name) {
        let candidates = there.get(base.text.as_os_str()).into_iter().flatten();
        let is_base = |main: &&&OsStr| match base.of {
            Of::Name => **main == base.text,
            Of::Stem => name::stem(main) == base.text && **main != base.text,
        };
        let ranked = candidates
            .take(MAX_SAME_STEM)
            .filter(|m| **m != name)
            .filter(is_base)
            .filter_map(|m| Some((std::cmp::Reverse(of.rank(m, &ext, base.of)?), *m)));
        if let Some((_, main)) = ranked.min() {
            return Some(Pair { main: main.to_owned(), tail: base.tail() });
        }
    }
    None
}

/// What the names of a file and of its companions have in common: files of different keys never belong
/// together.
pub fn key(name: &OsStr) -> OsString {
    let bytes = name.as_bytes();
    let end = bytes.iter().skip(1).position(|b| *b == b'.').map_or(bytes.len(), |at| at + 1);
    let key = &bytes[..end];
    let open = key.strip_suffix(b")").and_then(|k| k.iter().rposition(|b| *b == b'('));
    let number =
        open.filter(|o| *o > 0 && key[o + 1..key.len() - 1].iter().all(u8::is_ascii_digit));
    OsStr::from_bytes(&key[..number.unwrap_or(key.len())]).to_owned()
}
