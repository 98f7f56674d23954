//! Destination templates (stub: to be written in its own room)
use std::path::Path;
use std::sync::Arc;

use crate::facts::Facts;
use crate::plan::Place;
use crate::rules::Need;

/// The directory a template's destinations stay beneath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The root the file was found under.
    Root,
    /// This directory: absolute, existing when the configuration was read, symlinks resolved.
    Dir(Arc<Path>),
}

/// A destination with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    base: Base,
}

/// Why a template is refused at load or cannot be rendered for a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("stub")]
    Stub,
}

impl Template {
    pub fn parse(_text: &str, base: Base) -> Result<Self, TemplateError> {
        Ok(Self { base })
    }
    pub fn fixed_folder(_dir: &Path) -> Self {
        unimplemented!()
    }
    pub fn needs(&self) -> Vec<Need> {
        unimplemented!()
    }
    pub fn destination(&self, _facts: &Facts, _rename: bool) -> Result<Place, TemplateError> {
        unimplemented!("{:?}", self.base)
    }
}
