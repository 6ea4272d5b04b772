//! The shape of the configuration file, and complaints about it.
//!
//! Every key is optional, so that a file, the environment and the flags are layers of the same shape.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use scim_core::text::nearest;
use scim_service::Settings;
use scim_store::UnknownMembers as StorePolicy;
use serde::{Deserialize, Deserializer};

use super::{Schema, StoreUrl};
use crate::Failure;

/// Declares a layer: a struct of optional keys, the names of its plain keys, and how one layer lies upon another.
macro_rules! layer {
    ($name:ident { $($key:ident: $type:ty,)* } { $($section:ident: $layer:ty,)* }) => {
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name {
            $(pub(super) $key: Option<$type>,)*
            $(pub(super) $section: $layer,)*
        }

        impl $name {
            pub(super) const KEYS: &[&str] = &[$(stringify!($key)),*];

            /// This layer, and the lower one where this says nothing.
            pub(super) fn or(self, lower: Self) -> Self {
                Self {
                    $($key: self.$key.or(lower.$key),)*
                    $($section: self.$section.or(lower.$section),)*
                }
            }
        }
    };
}

layer!(File {
    listen: SocketAddr,
    base_url: BaseUrl,
    store: StoreUrl,
    behind_proxy: bool,
    passwords: Passwords,
    unknown_members: UnknownMembers,
    drain_seconds: u32,
    schemas: Vec<SchemaFile>,
    resource_types: Vec<ResourceTypeFile>,
} {
    metrics: Metrics,
    limits: Limits,
    tls: Tls,
    log: Log,
});

layer!(Metrics { listen: MetricsListen, } {});
layer!(Tls { certificate: PathBuf, key: PathBuf, } {});
layer!(Log { format: LogFormat, level: LogLevel, } {});
layer!(Limits {
    requests_per_second: NonZeroU32,
    burst_seconds: NonZeroU32,
    max_body: NonZeroUsize,
    max_operations: NonZeroUsize,
    max_results: NonZeroUsize,
    default_count: NonZeroUsize,
    max_page_bytes: NonZeroUsize,
    max_members: NonZeroUsize,
    cursor_seconds: NonZeroU32,
    request_timeout_seconds: NonZeroU32,
    max_connections: NonZeroUsize,
} {});

/// The sections of the file, and the keys of each.
pub(super) const SECTIONS: [(&str, &[&str]); 4] =
    [("metrics", Metrics::KEYS), ("limits", Limits::KEYS), ("tls", Tls::KEYS), ("log", Log::KEYS)];

/// What becomes of passwords.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Passwords {
    /// They are dropped before anything is stored.
    #[default]
    Discard,
    /// An Argon2id hash of them is kept.
    Hash,
}

/// What becomes of members that do not exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum UnknownMembers {
    #[default]
    Refuse,
    Ignore,
}

impl From<UnknownMembers> for StorePolicy {
    fn from(policy: UnknownMembers) -> Self {
        match policy {
            UnknownMembers::Refuse => Self::Refuse,
            UnknownMembers::Ignore => Self::Ignore,
        }
    }
}

/// How logs look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The least important level that is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// A schema document in the file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemaFile {
    file: PathBuf,
    extends: Option<String>,
    #[serde(default)]
    required: bool,
}

impl From<SchemaFile> for Schema {
    fn from(SchemaFile { file, extends, required }: SchemaFile) -> Self {
        Self { file, extends, required }
    }
}

/// A resource type document in the file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceTypeFile {
    pub(super) file: PathBuf,
}

/// Where metrics are served; nowhere if empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MetricsListen(pub(super) Option<SocketAddr>);

impl Default for MetricsListen {
    fn default() -> Self {
        Self(Some(super::DEFAULT_METRICS))
    }
}

impl<'de> Deserialize<'de> for MetricsListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let address = (!text.is_empty()).then(|| text.parse()).transpose();
        address.map(Self).map_err(|_| {
            serde::de::Error::custom(format!(
                "`{text}` is not an address; use one such as `127.0.0.1:9090`, or nothing for no metrics"
            ))
        })
    }
}

/// Scheme and authority under which clients reach the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BaseUrl(pub(super) String);

impl BaseUrl {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bare = text.strip_suffix('/').unwrap_or(text);
        let uri = Settings::parse_base_url(bare).map_err(|error| error.to_string())?;
        if uri.path() != "/" {
            let shown = text.escape_debug();
            return Err(format!(
                "`{shown}` holds more than scheme, host and port; paths begin with /t/ below it"
            ));
        }
        Ok(Self(bare.to_owned()))
    }

    /// The name or the address in it.
    pub(super) fn host(&self) -> Option<String> {
        let uri: http::Uri = self.0.parse().ok()?;
        uri.host().map(|host| host.trim_matches(['[', ']']).to_owned())
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl File {
    pub(super) fn parse(text: &str, origin: &str) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| {
                1 + text.get(..span.start).unwrap_or_default().bytes().filter(|byte| *byte == b'\n').count()
            });
            let place = line.map_or(origin.to_owned(), |line| format!("{origin}:{line}"));
            Failure::Usage(format!("{place}: {}", explain(error.message())))
        })
    }

    /// Files are found beside the configuration that names them.
    pub(super) fn relative_to(mut self, folder: &Path) -> Self {
        let schemas = self.schemas.iter_mut().flatten().map(|schema| &mut schema.file);
        let types = self.resource_types.iter_mut().flatten().map(|document| &mut document.file);
        let tls = [self.tls.certificate.as_mut(), self.tls.key.as_mut()].into_iter().flatten();
        for path in schemas.chain(types).chain(tls) {
            *path = folder.join(&*path);
        }
        self
    }
}

/// The commonest complaints without the words of the language that this is written in.
fn plain(message: &str) -> String {
    const TEXT: &str = "a text in double quotes";
    const SECTION: &str = "keys below a line such as `[limits]`";
    const WORDS: [(&str, &str); 19] = [
        (
            "invalid socket address syntax",
            "this is not an address; use an IP address and a port, such as `127.0.0.1:8080`",
        ),
        ("socket address", "an address such as \"127.0.0.1:8080\""),
        ("a nonzero usize", "a whole number of at least 1"),
        ("a nonzero u32", "a whole number from 1 to 4294967295"),
        ("duplicate key", "this key is set twice"),
        (
            "missing field `file`",
            "there is no `file`; name the document, as in `file = \"person.schema.json\"`",
        ),
        ("wanted string or table", "expected a text in double quotes"),
        ("a string", TEXT),
        ("string only", TEXT),
        ("path string", TEXT),
        ("a boolean", "`true` or `false` without quotes"),
        ("a sequence", "tables that begin with `[[schemas]]` or `[[resource_types]]`"),
        ("struct SchemaFile", "a `file` below a line `[[schemas]]`"),
        ("struct ResourceTypeFile", "a `file` below a line `[[resource_types]]`"),
        ("struct Metrics", SECTION),
        ("struct Limits", SECTION),
        ("struct Tls", SECTION),
        ("struct Log", SECTION),
        ("unit variant", "something else"),
    ];
    let message = message.replace('\n', ", ");
    if let Some((_, words)) = WORDS.iter().find(|(known, _)| *known == message) {
        return (*words).to_owned();
    }
    let split = message.strip_prefix("invalid type: ").or(message.strip_prefix("invalid value: "));
    match split.and_then(|rest| rest.split_once(", expected ")) {
        Some((found, expected)) => {
            let expected =
                WORDS.iter().find(|(known, _)| *known == expected).map_or(expected, |(_, words)| words);
            let found = WORDS.iter().find(|(known, _)| *known == found).map_or(found, |(_, words)| words);
            format!("expected {expected}, found {found}")
        }
        None => message,
    }
}

/// Where a key belongs. What comes after the line of a section is in it, so that a key that is added at the end of a file is
/// easily in the wrong one.
fn place_of(key: &str) -> Option<String> {
    if File::KEYS.contains(&key) {
        return Some("above the first line in brackets".to_owned());
    }
    let (section, _) = SECTIONS.into_iter().find(|(_, keys)| keys.contains(&key))?;
    Some(format!("below a line `[{section}]`"))
}

/// Puts a complaint of the TOML reader into the words of this program, with what may have been meant.
pub(super) fn explain(message: &str) -> String {
    let message = message.trim_end();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (words, what) = match quoted.next() {
        Some(name) if message.starts_with("unknown field") => {
            if let Some(place) = place_of(name) {
                return format!("`{name}` does not belong here; put it {place}");
            }
            (format!("there is no key `{name}`"), name)
        }
        Some(name) if message.starts_with("unknown variant") => {
            (format!("`{name}` is not a value of this key"), name)
        }
        _ => return plain(message),
    };
    let known: Vec<&str> = quoted.collect();
    match nearest(what, known.iter().copied()) {
        Some(near) => format!("{words}; did you mean `{near}`?"),
        None => format!("{words}; there are {}", known.join(", ")),
    }
}
