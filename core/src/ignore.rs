//! Names that are never filed: unfinished downloads, editors' and systems' own files, project trees.
#[derive(Debug, Default)]
pub struct Ignore {}
