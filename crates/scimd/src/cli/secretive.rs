//! Values of the command line that may hold a secret. What is wrong with them is said without quoting them: an address
//! that cannot be read may still have a password in it. Nothing here decides what an address is.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

use crate::config::StoreUrl;

/// Reads where a store is.
#[derive(Debug, Clone)]
pub(super) struct StoreValue;

impl TypedValueParser for StoreValue {
    type Value = StoreUrl;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<StoreUrl, Error> {
        let parsed = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned()).and_then(str::parse);
        parsed.map_err(|problem| {
            let name = argument.and_then(Arg::get_long).unwrap_or("store");
            Error::raw(ErrorKind::ValueValidation, format!("invalid value for `--{name}`: {problem}\n"))
                .with_cmd(command)
        })
    }
}
