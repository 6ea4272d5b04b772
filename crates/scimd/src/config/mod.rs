//! What an operator configures: one TOML file, then environment variables, then flags.
//!
//! A wrong key or value is refused with its line and what may have been meant. Secrets are never part of the
//! configuration: it names the files that hold them. `scimd.example.toml` shows every key with its default.

mod environment;
mod file;
mod store;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use scim_service::Settings;
use scim_store::UnknownMembers;

pub use self::file::{LogFormat, LogLevel, Passwords};
pub use self::store::StoreUrl;

use self::file::{File, SchemaFile};
use crate::Failure;

/// A commented configuration with every key at its default.
pub const EXAMPLE: &str = include_str!("../../scimd.example.toml");

/// Where the server listens unless told otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Where metrics are served unless told otherwise.
pub const DEFAULT_METRICS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// A configuration that was checked as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Scheme and authority under which clients reach the server, if it was given.
    pub base_url: Option<String>,
    /// Where resources are kept.
    pub store: StoreUrl,
    /// Whether something in front of the server does TLS.
    pub behind_proxy: bool,
    /// What becomes of passwords.
    pub passwords: Passwords,
    /// What becomes of members that do not exist.
    pub unknown_members: UnknownMembers,
    /// How long the server goes on serving when it was told to end, and says that it is not ready.
    pub drain: Duration,
    /// Where metrics and health are served, if at all.
    pub metrics: Option<SocketAddr>,
    /// Bounds of everything.
    pub limits: Limits,
    /// Certificate and key.
    pub tls: Option<Tls>,
    /// Schemas beside the built-in ones.
    pub schemas: Vec<Schema>,
    /// Resource type documents beside the built-in ones.
    pub resource_types: Vec<PathBuf>,
    /// How logs look, and how much is logged.
    pub log: Log,
}

/// Bounds of time, size and number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the example configuration documents each")]
pub struct Limits {
    pub requests_per_second: u32,
    pub burst_seconds: u32,
    pub max_body: usize,
    pub max_operations: usize,
    pub max_results: usize,
    pub default_count: usize,
    pub max_page_bytes: usize,
    pub max_members: usize,
    pub cursor_seconds: u32,
    pub request_timeout: Duration,
    pub max_connections: usize,
}

/// The files that TLS needs, and what they are for.
#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    /// The host of `base_url`, unless clients see the certificate of a proxy.
    pub host: Option<String>,
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// A schema document.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Its JSON file.
    pub file: PathBuf,
    /// The resource type that it extends, if it is an extension.
    pub extends: Option<String>,
    /// Whether a resource is incomplete without it.
    pub required: bool,
}

/// How logs look, and how much is logged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Log {
    /// The format.
    pub format: LogFormat,
    /// The least important level that is logged.
    pub level: LogLevel,
}

/// What the command line says. It wins over the environment and the file.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--store`.
    pub store: Option<StoreUrl>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--base-url`.
    pub base_url: Option<String>,
}

impl Flags {
    /// The configuration file, by the flags or by `SCIMD_CONFIG`.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        let named = || std::env::var_os("SCIMD_CONFIG").filter(|value| !value.is_empty()).map(PathBuf::from);
        self.config.clone().or_else(named)
    }
}

/// Refuses an address with a password. The list of processes shows arguments to everybody, and files of configuration are
/// copied about.
pub(crate) fn check_no_password(store: &StoreUrl, place: &str, remedy: &str) -> Result<(), Failure> {
    match store.has_password() {
        true => Err(Failure::Usage(format!(
            "{place} has a password in it, where others can read it; take it out, and {remedy}"
        ))),
        false => Ok(()),
    }
}

fn layer(flags: &Flags) -> Result<File, Failure> {
    let base_url = flags.base_url.as_deref().map(file::BaseUrl::parse).transpose();
    Ok(File {
        store: flags.store.clone(),
        listen: flags.listen,
        base_url: base_url.map_err(|words| Failure::Usage(format!("--base-url: {words}")))?,
        ..File::default()
    })
}

impl Config {
    /// Reads the file that the flags or `SCIMD_CONFIG` name, if any, then the environment, then the flags.
    ///
    /// # Errors
    /// Everything that is wrong with the first wrong thing: file, line, key, remedy.
    pub fn load(flags: &Flags) -> Result<Self, Failure> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        let file = match flags.config_file() {
            None => File::default(),
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
                File::parse(&text, &path.display().to_string())?
                    .relative_to(path.parent().unwrap_or(Path::new("")))
            }
        };
        for (store, place) in
            [(&flags.store, "`--store`"), (&file.store, "`store` in the configuration file")]
        {
            let remedy = "set PGPASSWORD, or SCIMD_STORE to the whole address, or add `?password_file=FILE`";
            store.iter().try_for_each(|store| check_no_password(store, place, remedy))?;
        }
        let overlay = environment::read(variables)?;
        Self::check(layer(flags)?.or(overlay).or(file))
    }

    /// What the flags say, and defaults: no file and no environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn of_flags(flags: &Flags) -> Result<Self, Failure> {
        Self::check(layer(flags)?)
    }

    /// Reads a configuration from text alone. `origin` stands in front of complaints.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, origin: &str) -> Result<Self, Failure> {
        Self::check(File::parse(text, origin)?)
    }

    /// The base URL that clients are told, for a server that listens at `bound`.
    pub fn base_url(&self, bound: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.base_url.clone().unwrap_or_else(|| format!("{scheme}://{bound}"))
    }

    /// What the service needs of it, except for the password hasher.
    pub fn settings(&self, base_url: &str) -> Settings {
        let mut settings = Settings::new(base_url);
        settings.requests_per_second = self.limits.requests_per_second;
        settings.burst_seconds = self.limits.burst_seconds;
        settings.max_body = self.limits.max_body;
        settings.max_operations = self.limits.max_operations;
        settings.max_results = self.limits.max_results;
        settings.default_results = self.limits.default_count;
        settings.max_page_bytes = self.limits.max_page_bytes;
        settings.max_members = self.limits.max_members;
        settings.cursor_seconds = self.limits.cursor_seconds;
        settings.unknown_members = self.unknown_members;
        settings
    }

    /// What may be told to a client that reaches the server must be decided before it listens.
    ///
    /// # Errors
    /// When it would speak plaintext to the network, or would have to believe the Host header.
    pub fn check_exposure(&self) -> Result<(), Failure> {
        let refuse = |words: String| Err(Failure::Usage(words));
        let listen = self.listen;
        if let (Some(url), Some(_)) = (&self.base_url, &self.tls)
            && url.starts_with("http:")
        {
            return refuse(format!("`base_url` is {url}, but `[tls]` is configured; begin it with https://"));
        }
        if listen.ip().is_loopback() {
            return Ok(());
        }
        if self.tls.is_none() && !self.behind_proxy {
            return refuse(format!(
                "refusing to serve plaintext on {listen}: tokens would cross the network in the clear; configure \
                 `[tls]`, or set `behind_proxy = true` if a proxy in front does TLS, or listen on 127.0.0.1"
            ));
        }
        if self.base_url.is_none() {
            return refuse(format!(
                "listening on {listen} needs `base_url`, since locations never follow the Host header; set it to \
                 what clients use, such as `base_url = \"https://scim.example.com\"`"
            ));
        }
        Ok(())
    }

    fn check(file: File) -> Result<Self, Failure> {
        let service = Settings::new("");
        let file::Limits {
            requests_per_second,
            burst_seconds,
            max_body,
            max_operations,
            max_results,
            default_count,
            max_page_bytes,
            max_members,
            cursor_seconds,
            request_timeout_seconds,
            max_connections,
        } = file.limits;
        let small = |value: Option<NonZeroU32>, default| value.map_or(default, NonZeroU32::get);
        let size = |value: Option<NonZeroUsize>, default| value.map_or(default, NonZeroUsize::get);
        let max_results = size(max_results, service.max_results);
        let limits = Limits {
            requests_per_second: small(requests_per_second, service.requests_per_second),
            burst_seconds: small(burst_seconds, service.burst_seconds),
            max_body: size(max_body, service.max_body),
            max_operations: size(max_operations, service.max_operations),
            max_results,
            default_count: size(default_count, service.default_results.min(max_results)),
            max_page_bytes: size(max_page_bytes, service.max_page_bytes),
            max_members: size(max_members, service.max_members),
            cursor_seconds: small(cursor_seconds, service.cursor_seconds),
            request_timeout: Duration::from_secs(small(request_timeout_seconds, 30).into()),
            max_connections: size(max_connections, 10_000),
        };
        if limits.default_count > limits.max_results {
            return Err(Failure::Usage(format!(
                "`limits.default_count` is {}, more than `limits.max_results`, which is {}",
                limits.default_count, limits.max_results
            )));
        }
        let behind_proxy = file.behind_proxy.unwrap_or(false);
        let host = file.base_url.as_ref().filter(|_| !behind_proxy).and_then(file::BaseUrl::host);
        let tls = match (file.tls.certificate, file.tls.key) {
            (Some(certificate), Some(key)) => Some(Tls { host, certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Failure::Usage("`tls.certificate` needs `tls.key` beside it".into()));
            }
            (None, Some(_)) => {
                return Err(Failure::Usage("`tls.key` needs `tls.certificate` beside it".into()));
            }
        };
        Ok(Self {
            listen: file.listen.unwrap_or(DEFAULT_LISTEN),
            base_url: file.base_url.map(|url| url.0),
            store: file.store.unwrap_or_default(),
            behind_proxy,
            passwords: file.passwords.unwrap_or_default(),
            unknown_members: file.unknown_members.unwrap_or_default().into(),
            drain: Duration::from_secs(file.drain_seconds.unwrap_or_default().into()),
            metrics: file.metrics.listen.unwrap_or_default().0,
            limits,
            tls,
            schemas: file.schemas.into_iter().flatten().map(SchemaFile::into).collect(),
            resource_types: file.resource_types.into_iter().flatten().map(|document| document.file).collect(),
            log: Log {
                format: file.log.format.unwrap_or_default(),
                level: file.log.level.unwrap_or_default(),
            },
        })
    }
}

impl Default for Config {
    #[expect(clippy::expect_used, reason = "an empty file is a configuration, as the tests show")]
    fn default() -> Self {
        Self::check(File::default()).expect("the defaults agree with each other")
    }
}
