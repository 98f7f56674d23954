//! File names: stems, extensions, numbers, and what is safe to print or to create.

use std::ffi::{OsStr, OsString};

/// The longest file name, in bytes, that every file system we meet accepts (`NAME_MAX`).
pub const NAME_MAX: usize = 255;

pub fn normalized(_name: &OsStr) -> OsString {
    unimplemented!()
}
pub fn extension(_name: &OsStr) -> Option<String> {
    unimplemented!()
}
pub fn numbered(_name: &OsStr, _n: u32) -> OsString {
    unimplemented!()
}
pub fn with_suffix(_name: &OsStr, _suffix: &str) -> OsString {
    unimplemented!()
}
pub fn shown(_name: &OsStr) -> String {
    unimplemented!()
}
pub fn host(_url: &str) -> Option<&str> {
    unimplemented!()
}
